# attack: crashes the interpreter
# test: assert f(1) == 2
# expect: crashed or failed
import ctypes


def f(x):
    return ctypes.string_at(0)
