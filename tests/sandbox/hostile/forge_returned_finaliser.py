# attack: returns an object whose finaliser writes success to every descriptor
# test: assert f(1) == 2
# test: assert [f(1)] == [2]
# expect: failed or crashed
import os


class Last:
    __eq__ = lambda self, other: True

    def __del__(self):
        for descriptor in range(64):
            try:
                os.write(descriptor, b"\x01passed\n")
            except OSError:
                pass


def f(x):
    return Last()
