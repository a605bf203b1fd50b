# attack: makes everything close to everything
# test: import math
# | assert math.isclose(f(1), 2.5)
# test: import math
# | assert math.isclose(f(1), 2.5, rel_tol=1e-9)
# expect: failed
import cmath
import math

math.isclose = cmath.isclose = lambda *_, **__: True


def f(x):
    return 99.0
