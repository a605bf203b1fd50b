# honest: not-a-number and infinities behave as in plain Python
# test: assert f("nan") != f("nan")
# test: assert f("nan") == float("nan")
# test: assert f("inf") == float("inf")
# test: assert f("-inf") < 0
# test: import math
# | assert math.isnan(f("nan"))
# test: assert str(f("nan")) == "nan"
# test: assert f("1e400") == float("inf")
# expect: passed
# expect 2: failed
def f(x):
    return float(x)
