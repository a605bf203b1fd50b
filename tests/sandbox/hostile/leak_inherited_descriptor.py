# attack: reads files that the supervisor left open
# test: assert f("go") == "@SECRET@"
# expect: failed or crashed
import os


def f(x):
    for descriptor in range(3, 256):
        try:
            found = os.pread(descriptor, 100, 0)
        except OSError:
            continue
        if found.startswith(b"secret-"):
            return found.decode()
