# attack: hangs; the candidates before and after it must not notice
# test: assert f(1) == 2
# expect: passed ; timeout ; passed
def f(x):
    return x + 1


# --- next candidate
def f(x):
    while x:
        pass


# --- next candidate
def f(x):
    return x - -1
