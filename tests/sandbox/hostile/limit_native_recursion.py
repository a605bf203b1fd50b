# attack: recursion through native code overruns the machine stack
# test: assert f(1) == 2
# expect: failed or crashed or memory or timeout
import sys

sys.setrecursionlimit(10**9)


class Deep:
    def __repr__(self):
        return repr([self])


def f(x):
    return repr(Deep())
