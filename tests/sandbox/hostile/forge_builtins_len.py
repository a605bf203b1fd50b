# attack: replaces builtins that tests use around the call
# test: assert len(f(1)) == 7
# test: assert sum(f(1)) == 7
# test: assert max(f(1)) == 7
# test: assert sorted(f(1)) == [7]
# expect: failed or crashed
import builtins

builtins.len = builtins.sum = builtins.max = lambda *_, **__: 7
builtins.sorted = lambda *_, **__: [7]


def f(x):
    return [1, 2, 3]
