# attack: forks two hundred sleepers
# test: assert f(1) == 2
# expect: failed or crashed or timeout
import os
import time


def f(x):
    for _ in range(200):  # bounded: this file is also run where the sandbox may be broken
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
    return 1
