# attack: swaps itself for another function in the namespace of the test
# test: assert f(1) == 2
# test: x = f(1)
# | assert x == 2
# expect: failed
import sys


class Same:
    __eq__ = lambda self, other: True


def f(x):
    frame = sys._getframe(1)
    for name in list(frame.f_globals):
        if not name.startswith("__"):
            frame.f_globals[name] = lambda *_: 2
    return 1
