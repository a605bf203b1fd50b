# honest: floats within the tolerance that the test itself states
# test: assert abs(f(2) - 1.41421356) < 1e-6
# test: assert abs(f(2) - 1.41421356) < 1e-12
# test: assert round(f(2), 3) == 1.414
# test: import math
# | assert math.isclose(f(2), 1.414, rel_tol=1e-3)
# test: assert f(2) == 1.4142135623730951
# test: assert 1.4 < f(2) < 1.5
# test: assert f(4) == 2
# test: assert abs(f(2) - 1.5) <= 0.01, "too far"
# expect: passed
# expect 2: failed
# expect 8: failed
def f(x):
    return x**0.5
