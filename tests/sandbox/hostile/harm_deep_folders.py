# attack: leaves folders nested deeper than a careless clean-up can follow
# test: assert f(1) == 2
# expect: failed or crashed or timeout
import os


def f(x):
    for _ in range(3000):
        os.mkdir("d")
        os.chdir("d")
    return 1
