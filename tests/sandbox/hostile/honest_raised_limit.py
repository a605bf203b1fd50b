# honest: raises the recursion limit because it needs to
# test: assert f(4000) == 4000
# expect: passed
import sys

sys.setrecursionlimit(10_000)


def f(n):
    return 0 if n == 0 else 1 + f(n - 1)
