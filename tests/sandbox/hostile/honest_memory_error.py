# honest: asks for too much, notices and answers anyway
# test: assert f(1) == "too much"
# expect: passed
def f(x):
    try:
        return len(bytearray(1 << 40))
    except MemoryError:
        return "too much"
