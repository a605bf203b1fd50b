# honest: text that is not Python, which is a failure and not a crash
# test: assert f(1) == 2
# test: assert True
# expect: failed
# expect 2: unjudged
def f(x)
    return x + 1
