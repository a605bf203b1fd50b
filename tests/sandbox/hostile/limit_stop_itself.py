# attack: stops itself, so that neither CPU time nor exit ever comes
# test: assert f(1) == 2
# expect: timeout or crashed or failed
import os
import signal


def f(x):
    os.kill(os.getpid(), signal.SIGSTOP)
    return 1
