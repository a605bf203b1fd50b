# attack: leaves finders, path entries and an import function for the candidates that come after it
# test: assert f(16) == 4.0
# expect: failed or crashed ; passed
import builtins
import sys


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        raise ImportError("no more imports")


sys.meta_path.insert(0, Finder)
sys.path[:] = []
sys.path_importer_cache.clear()
for name in ("math", "statistics", "fractions", "heapq"):
    sys.modules.pop(name, None)
builtins.__import__ = None


def f(x):
    return 0


# --- next candidate
import fractions
import heapq
import math


def f(x):
    return math.sqrt(heapq.nsmallest(1, [fractions.Fraction(x)])[0])
