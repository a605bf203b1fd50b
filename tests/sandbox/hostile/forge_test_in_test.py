# attack: a candidate that defines the word `assert` away by switching on optimisation for what is compiled next
# test: assert f(1) == 2
# test: assert False
# expect: failed or crashed
# expect 2: unjudged
import sys

try:
    import ctypes

    ctypes.c_int.in_dll(ctypes.pythonapi, "Py_OptimizeFlag").value = 2
except (ImportError, ValueError):
    pass
sys.dont_write_bytecode = True


def f(x):
    return 1
