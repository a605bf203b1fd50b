# attack: waits for input that never comes
# test: assert f(1) == 2
# expect: failed or timeout
import sys


def f(x):
    return sys.stdin.readline() or input()
