# attack: while the first test runs, answers the later tests in the worker's shared pages, then dies
# test: assert f(1) == 1
# test: assert f(2) == 3
# expect: passed or failed or crashed
# expect 2: failed or crashed
import gc
import mmap
import os


def f(x):
    for thing in gc.get_objects():
        if isinstance(thing, mmap.mmap):
            page = thing[:4096]
            for at in range(0, len(thing) - 4096, 4096):
                thing[at : at + 4096] = page
    if x == 2:
        os._exit(0)
    return x
