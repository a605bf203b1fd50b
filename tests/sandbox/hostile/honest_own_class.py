# honest: answers through objects of its own class
# test: assert f(3).area() == 9
# test: assert f(3) == Square(3)
# test: s = f(2)
# | assert s.side == 2
# expect: passed
class Square:
    def __init__(self, side):
        self.side = side

    def __eq__(self, other):
        return isinstance(other, Square) and self.side == other.side

    def area(self):
        return self.side**2


def f(x):
    return Square(x)
