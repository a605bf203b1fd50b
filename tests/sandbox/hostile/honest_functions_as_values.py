# honest: the function under test is handed on as a value
# test: assert list(map(f, [1, 2])) == [2, 3]
# test: assert sorted([3, -5, 1], key=g) == [1, 3, -5]
# test: assert callable(f)
# test: assert f is not None
# test: assert f.__name__ == "f"
# test: assert isinstance(h(1), Box)
# test: assert isinstance(h(1), Box) and h(1).x == 1
# test: assert type(h(1)) is Box
# test: assert max([1, -4], key=g) == -4
# test: assert k(lambda n: n * 2) == 6
# test: assert Box(1).x + Box(2).x == 3
# test: assert (Box(1) < Box(2)) is True
# test: assert str(h(3)) == "Box 3"
# test: assert f"{h(3)}" == "Box 3"
# test: assert len({f(1), f(1), f(2)}) == 2
# test: assert {"a": f(1)}["a"] == 2
# expect: passed
# expect 3: unjudged
class Box:
    def __init__(self, x):
        self.x = x

    def __lt__(self, other):
        return self.x < other.x

    def __str__(self):
        return f"Box {self.x}"


def f(x):
    return x + 1


def g(x):
    return abs(x)


def h(x):
    return Box(x)


def k(function):
    return function(3)
