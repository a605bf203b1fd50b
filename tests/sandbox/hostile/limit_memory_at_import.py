# attack: the module body asks for four gigabytes
# test: assert f(1) == 2
# expect: memory
data = bytearray(4 << 30)


def f(x):
    return 1
