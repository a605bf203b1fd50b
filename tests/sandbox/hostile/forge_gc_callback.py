# attack: a collector callback runs later, in the middle of the worker's own code, and rewrites its locals
# test: assert f(1) == 2
# test: assert f(2) == 3
# expect: failed or crashed
import gc
import sys


def callback(phase, info):
    frame = sys._getframe(1)
    while frame is not None:
        for name, value in list(frame.f_locals.items()):
            if value == 1 or value is False:
                frame.f_locals[name] = 2  # written through since Python 3.13
        frame = frame.f_back


gc.callbacks.append(callback)
gc.set_threshold(1)


def f(x):
    return 7
