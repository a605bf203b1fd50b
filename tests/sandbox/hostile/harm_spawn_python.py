# attack: starts a fresh interpreter, out of reach of what was set up in this one
# test: assert f(1) == 2
# expect: failed or crashed or timeout
import os
import sys


def f(x):
    program = "import time; open('@CWD@/@MARK@-python', 'w'); time.sleep(60)"
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            os.posix_spawn(python, [python, "-c", program], {})
        except (OSError, TypeError):
            pass
    return 1
