# attack: raises an exception whose text is a hundred megabytes
# test: assert f(1) == 2
# expect: failed or memory or output
def f(x):
    raise ValueError("x\n" * 50_000_000)
