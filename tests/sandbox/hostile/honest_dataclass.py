# honest: answers with data classes and named tuples
# test: assert f(1, 2) == Point(1, 2)
# test: assert f(1, 2).x == 1
# test: assert g(1, 2) == (1, 2)
# test: assert g(1, 2).y == 2
# test: assert f(1, 2) == Point(1, 3)
# expect: passed
# expect 5: failed
import collections
from dataclasses import dataclass

Pair = collections.namedtuple("Pair", "x y")


@dataclass(frozen=True, order=True)
class Point:
    x: int
    y: int


def f(a, b):
    return Point(a, b)


def g(a, b):
    return Pair(a, b)
