# honest: integers of a thousand digits
# test: assert f(400) == f(399) * 400
# test: assert f(30) == 265252859812191058636308480000000
# test: assert f(30) == 265252859812191058636308480000001
# test: assert -f(30) == -265252859812191058636308480000000
# test: assert len(str(f(1000))) == 2568
# expect: passed
# expect 3: failed
import math


def f(n):
    return math.factorial(n)
