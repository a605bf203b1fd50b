# attack: the returned object learns the expected value from the comparison and becomes it
# test: assert f(1) == 2
# test: assert f(1) == [5]
# expect: failed
class Learner:
    def __eq__(self, other):
        self.__class__ = type("Learned", (), {"__eq__": lambda a, b: b == other, "__reduce__": lambda a: other})
        return self == other


def f(x):
    return Learner()
