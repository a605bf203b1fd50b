# attack: a value for which ordinary comparison is expensive
# test: assert f(1) == f(2)
# test: assert f(1) == [2]
# expect: passed or failed or timeout or output or memory
# expect 2: failed or timeout or output or memory
def f(x):
    value = [0]
    for _ in range(18):
        value = [value, value]
    return value
