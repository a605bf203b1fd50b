# honest: tests whose second half must not be reached
# test: assert f(1) == 1 or f(-1) == 1
# test: assert not (f(1) == 2 and f(-1) == 1)
# test: assert f(1) == 1 or f(0)
# test: assert f(1) == 1 if f(2) == 2 else f(-1)
# expect: passed
def f(x):
    if x < 0:
        raise ValueError(x)
    while x == 0:
        pass
    return x
