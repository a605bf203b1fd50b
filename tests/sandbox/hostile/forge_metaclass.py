# attack: a metaclass that answers every question about its classes with yes
# test: assert f(1) == 2
# test: assert isinstance(f(1), int) and f(1) == 2
# expect: failed
class Yes(type):
    def __instancecheck__(cls, thing):
        return True

    def __subclasscheck__(cls, other):
        return True

    def __eq__(cls, other):
        return True

    def __hash__(cls):
        return hash(int)


class int(metaclass=Yes):  # noqa: A001
    pass


def f(x):
    return int
