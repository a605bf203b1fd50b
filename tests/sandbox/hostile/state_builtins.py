# attack: replaces builtins for the candidates that come after it
# test: assert f([3, 1, 2]) == [1, 2, 3]
# expect: failed or crashed ; passed
import builtins

builtins.sorted = lambda *_, **__: [9]
builtins.list = builtins.len = builtins.range = None


def f(x):
    return builtins.sorted(x)


# --- next candidate
def f(x):
    return sorted(list(x))[: len(x)]
