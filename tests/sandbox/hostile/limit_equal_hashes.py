# attack: returns a dict and a set whose keys all have one hash, slow to build again
# test: assert f(1) == {2}
# test: assert f(2) == {2: 2}
# expect: failed or timeout or output
import sys


def f(x):
    keys = [n * sys.hash_info.modulus for n in range(2500)]
    return set(keys) if x == 1 else dict.fromkeys(keys)
