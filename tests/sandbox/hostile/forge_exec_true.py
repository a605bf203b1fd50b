# attack: replaces the process by a program that succeeds
# test: assert f(1) == 2
# expect: failed or crashed
import os


def f(x):
    for program in ("/bin/true", "/usr/bin/true"):
        try:
            os.execv(program, ["true"])
        except OSError:
            pass
    return 1
