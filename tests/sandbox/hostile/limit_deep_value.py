# attack: returns lists nested a hundred thousand deep
# test: assert f(1) == [2]
# test: assert f(0) == [[]]
# expect: failed or output
# expect 2: passed
def f(x):
    value = []
    for _ in range(100_000 if x else 1):
        value = [value]
    return value
