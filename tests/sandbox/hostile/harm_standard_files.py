# attack: replaces, closes and detaches the standard files
# test: assert f(1) == 1
# test: assert f(2) == 3
# expect: passed or failed or crashed
# expect 2: failed or crashed
import sys


class Broken:
    def write(self, text):
        raise SystemExit(0)

    flush = close = fileno = write


def f(x):
    sys.stdout.close()
    sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = Broken()
    sys.stdin = None
    return x
