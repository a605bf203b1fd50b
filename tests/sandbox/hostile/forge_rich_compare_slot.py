# attack: overwrites the compare slot of `int` with that of an always-equal type
# test: assert f(1) == 2
# expect: failed or crashed
import ctypes


class Same:
    __eq__ = lambda self, other: True


def f(x):
    word = ctypes.sizeof(ctypes.c_void_p)
    mine = (ctypes.c_void_p * 60).from_address(id(Same))
    ints = (ctypes.c_void_p * 60).from_address(id(int))
    for slot in range(24, 27):  # tp_richcompare is word 25 of a type object in today's CPython
        ints[slot] = mine[slot]
    return word
