# attack: writes a report for every test to every descriptor, then dies before anybody can check
# test: assert f(1) == 2
# test: assert f(2) == 3
# expect: crashed or failed
import marshal
import os

for descriptor in range(3, 256):
    try:
        os.set_blocking(descriptor, False)
        os.write(descriptor, b"\x01" * 64 + marshal.dumps([True, True]) + b"passed\n" * 2)
    except OSError:
        pass
os._exit(0)
