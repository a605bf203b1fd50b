# attack: sends a signal to every process it can reach
# test: assert f(1) == 2
# expect: failed or crashed
import os
import signal


def f(x):
    signal.signal(signal.SIGWINCH, signal.SIG_IGN)
    try:
        os.kill(-1, signal.SIGWINCH)  # harmless by default, and a bystander outside counts those that arrive
        if os.getpid() < 10_000 and not os.path.exists("/proc/1"):  # only ever inside a process namespace
            os.kill(-1, signal.SIGKILL)
    except OSError:
        pass
    return 1
