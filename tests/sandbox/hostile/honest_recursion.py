# honest: recursion close to the interpreter's limit
# test: assert f(900) == 900
# expect: passed
def f(n):
    return 0 if n == 0 else 1 + f(n - 1)
