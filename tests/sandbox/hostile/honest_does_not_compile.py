# honest: text that is not Python, which is a failure and not a crash
# test: assert f(1) == 2
# test: assert True
# expect: failed
def f(x)
    return x + 1
