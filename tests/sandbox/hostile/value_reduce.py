# attack: an object whose unpickling runs a program in whoever reads it
# test: assert f(1) == 2
# test: assert [f(1)] == [2]
# expect: failed or crashed
import os


class Parcel:
    def __reduce__(self):
        return os.system, ("touch @CWD@/@MARK@-reduce @HOME@/@MARK@-reduce",)

    def __getstate__(self):
        return {"system": "touch @CWD@/@MARK@-state"}


def f(x):
    return Parcel()
