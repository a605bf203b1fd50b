# attack: kills, stops and interrupts its parent
# test: assert f(1) == 2
# expect: failed or crashed
import os
import signal


def f(x):
    for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGSEGV, signal.SIGKILL):
        try:
            os.kill(os.getppid(), number)
        except OSError:
            pass
    return 1
