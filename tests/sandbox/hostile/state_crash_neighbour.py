# attack: crashes; the candidates before and after it must not notice
# test: assert f(1) == 2
# test: assert f(2) == 3
# expect: passed ; crashed ; passed
def f(x):
    return x + 1


# --- next candidate
import os


def f(x):
    os.abort()


# --- next candidate
def f(x):
    return x - -1
