# attack: returns an object that claims to equal everything
# test: assert f(1) == 2
# test: assert 2 == f(1)
# test: assert f(1) == [1, 2, 3]
# test: assert f(1) in (2, 3)
# expect: failed
class Anything:
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    def __hash__(self):
        return 2


def f(x):
    return Anything()
