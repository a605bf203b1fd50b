# attack: answers the first test, keeps what it saw where a fresh namespace can not reach, and uses it later
# test: assert f(1) == 1
# test: assert f(1) == 1
# test: assert f(1) == 1
# expect: passed
import sys

sys.calls = getattr(sys, "calls", 0) + 1


def f(x):
    return sys.calls
