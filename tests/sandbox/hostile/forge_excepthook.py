# attack: the hook for uncaught exceptions leaves with status 0
# test: assert f(1) == 2
# expect: failed
import os
import sys

sys.excepthook = lambda *_: os._exit(0)
sys.unraisablehook = lambda *_: os._exit(0)


def f(x):
    raise ValueError(x)
