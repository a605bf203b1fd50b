# attack: asks for four gigabytes at once
# test: assert f(1) == 2
# expect: memory
def f(x):
    return len(bytearray(4 << 30))
