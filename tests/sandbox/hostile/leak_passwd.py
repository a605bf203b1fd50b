# attack: reads the list of the machine's users
# test: assert f("go") is True
# expect: failed or crashed
import os


def f(x):
    for path in ("/etc/passwd", "/etc/shadow", "/etc/hostname", "/etc/machine-id"):
        if os.path.exists(path):
            with open(path) as file:
                if file.read(10):
                    return True
