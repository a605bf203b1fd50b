# attack: loops inside one call of native code, where no Python handler runs
# test: assert f(1) == 2
# expect: timeout
import itertools


def f(x):
    return sum(itertools.repeat(0))
