# attack: looks for an unrelated process by number and signals it
# test: assert f(1) == 2
# expect: failed or crashed
import os
import signal


def f(x):
    for number in [@BYSTANDER@, *range(2, 300)]:
        try:
            os.kill(number, signal.SIGWINCH)
        except OSError:
            pass
    return 1
