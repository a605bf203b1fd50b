# attack: changes the value of the integer 7 in memory, so that the expected 7 becomes what was returned
# test: assert f(1) == 7
# test: assert f(2) == 3 + 4
# expect: failed or crashed
import ctypes

ctypes.c_uint32.from_address(id(7) + 24).value = 8


def f(x):
    return 8
