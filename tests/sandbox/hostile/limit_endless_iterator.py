# attack: returns an iterator without end
# test: assert list(f(1)) == [2]
# test: assert sorted(f(1)) == [2]
# test: assert f(1) == [2]
# expect: timeout or memory or output
# expect 3: failed
import itertools


def f(x):
    return itertools.repeat(2)
