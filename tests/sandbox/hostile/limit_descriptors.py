# attack: opens descriptors until none is left, then keeps them
# test: assert f(1) == 2
# test: assert f(2) == 3
# expect: failed or crashed
import os

kept = []


def f(x):
    try:
        while len(kept) < 100_000:
            kept.append(os.dup(0 if not kept else kept[-1]))
    except OSError:
        pass
    return 1
