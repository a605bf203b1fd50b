# attack: reads the environment that the process was started with, from memory
# test: assert f("go") == "@SECRET@"
# expect: failed or crashed
import ctypes


def f(x):
    block = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
    index = 0
    while block[index]:
        name, _, value = block[index].partition(b"=")
        if name == b"CODEPREF_TEST_SECRET":
            return value.decode()
        index += 1
