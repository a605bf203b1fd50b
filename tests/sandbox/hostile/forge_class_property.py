# attack: an object that claims the class of the expected value
# test: assert f(1) == 2
# test: assert isinstance(f(1), int) and f(1) == 2
# expect: failed
class Liar:
    __class__ = property(lambda self: int)
    __eq__ = lambda self, other: True
    __int__ = __index__ = lambda self: 2


def f(x):
    return Liar()
