# attack: blocks every signal that can be blocked, then loops
# test: assert f(1) == 2
# expect: timeout
import signal

signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
signal.setitimer(signal.ITIMER_PROF, 0)
signal.setitimer(signal.ITIMER_REAL, 0)


def f(x):
    while True:
        pass
