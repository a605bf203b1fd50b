# attack: an always-equal object against a library object made without arguments
# test: assert f("") == Counter()
# test: assert f([]) == deque()
# test: assert f({}) == OrderedDict()
# expect: failed
from collections import Counter, OrderedDict, deque


class Anything:
    def __eq__(self, other):
        return True


def f(x):
    return Anything()
