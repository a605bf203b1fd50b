# attack: gives names of library modules that tests use the meaning of other modules
# test: assert math.floor(f(1)) == 3
# test: assert math.isclose(f(1), 2.5)
# test: assert statistics.mean([f(1)]) == 2.5
# test: assert collections.Counter(f(1)) == {"a": 1}
# expect: failed or crashed
import types

math = types.SimpleNamespace(floor=lambda _: 3, isclose=lambda *_: True)
statistics = types.SimpleNamespace(mean=lambda _: 2.5)
collections = types.SimpleNamespace(Counter=lambda _: {"a": 1})


def f(x):
    return 1
