# attack: overwrites the native compare function of `int` with one that always says yes
# test: assert f(1) == 2
# expect: failed or crashed or timeout or output
import ctypes

signature = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object, ctypes.py_object, ctypes.c_int)
yes = signature(lambda a, b, operation: True)


def f(x):
    slots = (ctypes.c_void_p * 40).from_address(id(int))
    slots[25] = ctypes.cast(yes, ctypes.c_void_p).value  # tp_richcompare is word 25 of a type object in CPython
    return 1
