# attack: returns millions of elements
# test: assert f(1) == [2]
# expect: output or failed or memory or timeout
def f(x):
    return [0] * 20_000_000
