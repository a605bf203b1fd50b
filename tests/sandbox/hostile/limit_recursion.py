# attack: endless recursion with the interpreter's own limit in place
# test: assert f(1) == 2
# expect: failed
def f(x):
    return f(x + 1)
