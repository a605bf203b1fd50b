# attack: catches the refusal of more memory and asks again for ever
# test: assert f(1) == 2
# expect: memory or timeout
def f(x):
    data = []
    while True:
        try:
            data.append(bytearray(64 << 20))
        except MemoryError:
            pass
