# attack: uses no CPU time and never answers
# test: assert f(1) == 2
# expect: timeout
import time


def f(x):
    time.sleep(1e6)
