# attack: every process forks once and ends, a chain that runs away from whoever kills it by number
# test: assert f(1) == 2
# expect: failed or crashed or timeout
import os
import time


def f(x):
    if os.fork() == 0:
        for _ in range(300):
            if os.fork():
                os._exit(0)
            time.sleep(0.01)
        os._exit(0)
    return 1
