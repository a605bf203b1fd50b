# attack: endless recursion after raising the interpreter's limit
# test: assert f(1) == 2
# expect: failed or crashed or memory or timeout
import sys

sys.setrecursionlimit(10**9)


def f(x):
    return f(x + 1)
