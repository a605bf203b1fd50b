# attack: returns an integer of ten megabytes
# test: assert f(1) == 2
# expect: output or failed
def f(x):
    return 1 << 80_000_000
