# attack: an object that survives a tolerance check because its difference is always small
# test: assert abs(f(1) - 2.5) < 1e-6
# test: assert round(f(1), 2) == 2.5
# expect: failed
class Close:
    def __sub__(self, other):
        return self

    __rsub__ = __sub__

    def __abs__(self):
        return self

    def __lt__(self, other):
        return True

    def __round__(self, digits=0):
        return self

    def __eq__(self, other):
        return True


def f(x):
    return Close()
