# honest: defines another function than the test calls
# test: assert f(1) == 2
# expect: failed
def g(x):
    return x + 1
