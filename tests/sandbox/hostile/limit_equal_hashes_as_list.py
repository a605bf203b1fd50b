# attack: returns a list that is cheap to build here and slow to turn into a set elsewhere
# test: assert set(f(1)) == {2}
# test: assert len(set(f(1))) == 2
# expect: failed or timeout or output
import sys


def f(x):
    return [n * sys.hash_info.modulus for n in range(60_000)]
