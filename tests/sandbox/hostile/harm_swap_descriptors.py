# attack: puts other files where the worker's descriptors were
# test: assert f(1) == 1
# test: assert f(2) == 3
# expect: passed or failed or crashed or timeout
# expect 2: failed or crashed or timeout
import os


def f(x):
    source, sink = os.pipe()
    for descriptor in range(64):
        if descriptor not in (source, sink):
            try:
                os.dup2(sink, descriptor)
            except OSError:
                pass
    return x
