# attack: ends the process with status 0, past every handler
# test: assert f(1) == 2
# expect: crashed
import os


def f(x):
    os._exit(0)
