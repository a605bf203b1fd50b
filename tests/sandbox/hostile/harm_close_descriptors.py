# attack: closes every descriptor, the one it must answer on included
# test: assert f(1) == 1
# test: assert f(2) == 3
# expect: passed or failed or crashed
# expect 2: failed or crashed
import os


def f(x):
    os.closerange(0, 4096)
    return x
