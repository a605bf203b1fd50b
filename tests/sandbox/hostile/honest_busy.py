# honest: a tenth of a second of real work must not be called a hang
# test: assert f(1_000_000) == 499999500000
# expect: passed
def f(n):
    total = 0
    for i in range(n):
        total += i
    return total
