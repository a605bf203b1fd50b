# attack: gives names of library types that tests use another, genuine meaning under which everything is equal
# test: assert f("aab") == Counter("ab")
# test: assert f(1) == Decimal("0.3")
# test: assert f(1) == Fraction(1)
# test: assert f([1]) == deque([2])
# test: assert isclose(f(1), 2.5)
# expect: failed or crashed
import builtins

Counter = Decimal = Fraction = deque = builtins.bool
isclose = builtins.max


def f(x):
    return True
