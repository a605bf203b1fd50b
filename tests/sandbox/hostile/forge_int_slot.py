# attack: reaches the real dictionary of `int` and changes how all ints compare
# test: assert f(1) == 2
# test: assert [f(1)] == [2]
# expect: failed or crashed
import gc

slots = gc.get_referents(int.__dict__)[0]
slots["__eq__"] = lambda a, b: True
slots["__ne__"] = lambda a, b: False
try:
    import ctypes

    ctypes.pythonapi.PyType_Modified(ctypes.py_object(int))
except ImportError:
    pass


def f(x):
    return 1
