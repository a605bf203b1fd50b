# honest: could read input and exit, but does not
# test: assert f("4") == 4
# test: assert f(None) == 0
# expect: passed
# expect 2: failed or timeout
import sys


def f(x):
    if x is None:
        return int(input())
    if x == "":
        sys.exit(1)
    return int(x)
