# attack: hangs in one test only; the others must not suffer
# test: assert f(1) == 1
# test: assert f(2) == 2
# test: assert f(3) == 3
# expect: passed
# expect 2: timeout
def f(x):
    while x == 2:
        pass
    return x
