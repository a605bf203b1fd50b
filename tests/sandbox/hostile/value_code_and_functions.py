# attack: returns functions, classes, modules, frames and code, none of which is data
# test: assert f(0) == 2
# test: assert f(1) == 2
# test: assert f(2) == 2
# test: assert f(3) == 2
# test: assert f(4) == 2
# test: assert f(5) == 2
# expect: failed
import sys


def f(x):
    return [f, int, sys, sys._getframe(), f.__code__, lambda: 2][x]
