# attack: changes settings that live outside any module's namespace
# test: assert f("x") == ("1.428571428571428571428571429", 900, True, 0.8444218515250481, "1e+16")
# expect: failed or crashed or timeout ; passed
import decimal
import gc
import locale
import random
import sys
import warnings

decimal.getcontext().prec = 2
random.seed(1)
random.random = lambda: 1.0
sys.setrecursionlimit(60)
warnings.simplefilter("error")
gc.disable()
locale.setlocale(locale.LC_ALL, "C")


def f(x):
    return 0


# --- next candidate
import decimal
import gc
import random


def depth(n):
    return 1 + depth(n - 1) if n > 1 else 1


def f(x):
    random.seed(0)
    ratio = str(decimal.Decimal(10) / decimal.Decimal(7))
    return ratio, depth(900), isinstance(gc.isenabled(), bool), random.random(), str(float(10**16))
