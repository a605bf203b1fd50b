# honest: the module body raises, so no test can hold
# test: assert f(1) == 2
# test: assert f(2) == 3
# expect: failed
def f(x):
    return x + 1


value = {}["missing"]
