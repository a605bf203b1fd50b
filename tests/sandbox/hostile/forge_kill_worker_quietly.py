# attack: kills itself by a signal that a grader might take for its own time-out or success
# test: assert f(1) == 2
# expect: crashed or failed
import os
import signal


def f(x):
    for number in (signal.SIGXCPU, signal.SIGKILL):
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    return 1
