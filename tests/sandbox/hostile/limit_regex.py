# attack: exponential backtracking inside the regular-expression engine
# test: assert f(1) == 2
# expect: timeout
import re


def f(x):
    return re.match(r"(a+)+$", "a" * 60 + "b")
