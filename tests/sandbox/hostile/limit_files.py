# attack: writes two gigabytes of files wherever it may
# test: assert f(1) == 2
# expect: failed or output or memory or crashed or timeout
import os


def f(x):
    for folder in (".", "/tmp", "/dev/shm", "/var/tmp"):
        for number in range(32):
            try:
                with open(os.path.join(folder, f"@MARK@-{number}"), "wb") as file:
                    file.truncate(1)
                    for _ in range(64):
                        file.write(b"x" * (1 << 20))
            except OSError:
                break
    return 1
