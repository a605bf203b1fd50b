# attack: an exit handler turns the failing status into 0
# test: assert f(1) == 2
# expect: failed
import atexit
import os

atexit.register(os._exit, 0)


def f(x):
    return 1
