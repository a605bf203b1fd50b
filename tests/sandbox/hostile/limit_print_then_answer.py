# attack: prints four megabytes, then answers right
# test: assert f(1) == 2
# expect: output
import sys


def f(x):
    for _ in range(400):
        print("x" * 10_000, file=sys.stderr)
    return 2
