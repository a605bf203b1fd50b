# attack: makes every distance zero
# test: assert abs(f(1) - 2.5) < 1e-6
# test: assert round(f(1), 2) == 2.5
# expect: failed or crashed
import builtins

builtins.abs = lambda _: 0.0
builtins.round = lambda *_: 2.5


def f(x):
    return 99.0
