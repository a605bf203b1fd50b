# attack: raises the exception with which a test runner skips a test
# test: assert f(1) == 2
# expect: failed
import unittest


def f(x):
    raise unittest.SkipTest("nothing to see")
