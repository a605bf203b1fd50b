# attack: an object whose finaliser runs after the function returned and ends the process with status 0
# test: assert f(1) == 2
# expect: failed or crashed
import os


class Last:
    def __del__(self):
        os._exit(0)


def f(x):
    last = Last()
    return 1 if last else 0
