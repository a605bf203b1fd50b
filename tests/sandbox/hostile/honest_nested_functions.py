# honest: classes with slots, properties, operators, context managers and class methods
# test: assert f([1, 2]) == 6.0
# test: assert (Vector(1, 2) + Vector(3, 4)).pair == (4, 6)
# test: assert Vector.zero().pair == (0, 0)
# test: assert repr(Vector(1, 2)) == "Vector(1, 2)"
# expect: passed
import contextlib


class Vector:
    __slots__ = ("x", "y")

    def __init__(self, x, y):
        self.x, self.y = x, y

    @classmethod
    def zero(cls):
        return cls(0, 0)

    @property
    def pair(self):
        return self.x, self.y

    def __add__(self, other):
        return Vector(self.x + other.x, self.y + other.y)

    def __repr__(self):
        return f"Vector({self.x}, {self.y})"


@contextlib.contextmanager
def doubled(values):
    yield [2 * value for value in values]


def f(values):
    total = 0.0
    with doubled(values) as twice:
        for value in twice:
            total += value
    return total
