# attack: grows until it is stopped
# test: assert f(1) == 2
# expect: memory or timeout
def f(x):
    data = [b"x"]
    while True:
        data.append(bytearray(8 << 20))
