# attack: the returned value never finishes being compared or converted
# test: assert f(1) == 2
# test: assert list(f(1)) == [2]
# expect: failed or timeout or memory or output
import itertools


class Endless:
    def __eq__(self, other):
        while True:
            pass

    def __iter__(self):
        return itertools.repeat(2)


def f(x):
    return Endless()
