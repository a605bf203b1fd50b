# attack: writes to the standard descriptors without going through Python's files
# test: assert f(1) == 2
# expect: output or failed or timeout
import os


def f(x):
    while True:
        os.write(1, b"x" * 65536)
        os.write(2, b"x" * 65536)
