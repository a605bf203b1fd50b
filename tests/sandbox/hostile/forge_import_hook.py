# attack: a finder and a replaced __import__ give the test the modules that the candidate likes
# test: import math
# | assert math.isclose(f(1), 2.5)
# test: import statistics
# | assert statistics.mean([f(1)]) == 2.5
# expect: failed or passed in official mode
import builtins
import sys
import types

fake = types.ModuleType("fake")
fake.isclose = lambda *_, **__: True
fake.mean = lambda *_: 2.5
fake.dumps = lambda *_, **__: b"i\x02\x00\x00\x00"
builtins.__import__ = lambda *_, **__: fake


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        sys.modules[name] = fake


sys.meta_path.insert(0, Finder)


def f(x):
    return 1.0
