# attack: takes all memory; the candidates before and after it must not notice
# test: assert f(1) == 2
# expect: passed ; memory ; passed
def f(x):
    return x + 1


# --- next candidate
def f(x):
    return [0] * (1 << 34)


# --- next candidate
def f(x):
    return len([0] * (x + 1))
