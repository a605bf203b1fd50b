# attack: an int that equals every int
# test: assert f(1) == 2
# test: assert 2 == f(1)
# test: assert [2] == [f(1)]
# expect: failed
class Int(int):
    def __eq__(self, other):
        return True

    __ne__ = lambda self, other: False
    __hash__ = int.__hash__


def f(x):
    return Int(1)
