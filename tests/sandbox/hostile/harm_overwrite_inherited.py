# attack: changes files through descriptors it inherited or that it can open again
# test: assert f(1) == 2
# expect: failed or crashed
import os


def f(x):
    for descriptor in range(3, 256):
        for action in (
            lambda: os.ftruncate(descriptor, 0),
            lambda: os.pwrite(descriptor, b"@MARK@", 0),
            lambda: os.fchmod(descriptor, 0o777),
        ):
            try:
                action()
            except OSError:
                pass
    return 1
