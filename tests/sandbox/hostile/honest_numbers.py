# honest: decimals, fractions, enumerations and booleans
# test: assert f() == 0.5
# test: from fractions import Fraction
# | assert f() == Fraction(1, 2)
# test: from decimal import Decimal
# | assert g() == Decimal("0.30")
# test: assert h() == 2
# test: assert h() == Color.GREEN
# test: assert k(2)
# test: assert not k(3)
# expect: passed
import enum
from decimal import Decimal
from fractions import Fraction


class Color(enum.IntEnum):
    RED = 1
    GREEN = 2


def f():
    return Fraction(1, 2)


def g():
    return Decimal("0.1") + Decimal("0.2")


def h():
    return Color.GREEN


def k(n):
    return n % 2 == 0
