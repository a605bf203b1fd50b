# attack: module names that a worker may use itself, rebound to nonsense
# test: assert f(1) == 1
# test: assert f(1) == 2
# expect: passed or failed
# expect 2: failed
__builtins__ = {"len": None, "print": None}
__name__ = "__main__"
__file__ = __doc__ = __spec__ = __loader__ = 7
os = sys = marshal = mmap = struct = value = result = report = 0


def f(x):
    return x
