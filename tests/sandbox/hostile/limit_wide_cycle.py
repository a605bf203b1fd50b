# attack: returns a small object that is exponentially large when written out
# test: assert f(1) == [2]
# expect: failed or output or timeout or memory
def f(x):
    value = [2]
    for _ in range(60):
        value = [value, value]
    return value
