# attack: fills every descriptor that takes bytes until all of them block
# test: assert f(1) == 2
# expect: output or failed or timeout or crashed
import os


def f(x):
    for descriptor in range(256):
        try:
            os.set_blocking(descriptor, False)
            for _ in range(2000):
                os.write(descriptor, b"\x00" * 65536)
        except OSError:
            pass
    return 1
