# attack: replaces and changes library modules for the candidates that come after it
# test: assert f(9) == 3.0
# expect: failed ; passed
import math
import re
import sys
import types

math.sqrt = lambda _: 7.0
re.compile = None
sys.modules["statistics"] = types.ModuleType("statistics")
sys.modules["functools"].reduce = lambda *_: 7.0


def f(x):
    return math.sqrt(x)


# --- next candidate
import functools
import math
import re
import statistics


def f(x):
    re.compile("a+")
    return statistics.mean([functools.reduce(lambda a, b: a + b, [math.sqrt(x), 0])])
