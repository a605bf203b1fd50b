# attack: kills its process group, which may reach the supervisor
# test: assert f(1) == 2
# expect: crashed or failed
import os
import signal


def f(x):
    signal.signal(signal.SIGWINCH, signal.SIG_IGN)
    os.killpg(0, signal.SIGWINCH)
    os.killpg(0, signal.SIGKILL)
    return 1
