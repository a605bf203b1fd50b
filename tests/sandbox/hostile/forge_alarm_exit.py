# attack: a timer's handler leaves with status 0 while the answer is still awaited
# test: assert f(1) == 2
# expect: crashed or failed or timeout
import os
import signal


def f(x):
    signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    while True:
        pass
