# attack: an always-equal object against values that the test builds from builtins alone
# test: assert f(1) == list()
# test: assert f(1) == str(5)
# test: assert f(1) == dict(a=1)
# test: assert f(1) == [x for x in range(3)]
# test: assert f(1) == "a" * 3
# test: assert f(1) == -1
# test: assert f(1) == (lambda: 3)()
# expect: failed
class Anything:
    def __eq__(self, other):
        return True

    __req__ = __eq__


def f(x):
    return Anything()
