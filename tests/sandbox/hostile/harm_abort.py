# attack: aborts the process
# test: assert f(1) == 2
# expect: crashed
import os


def f(x):
    os.abort()
