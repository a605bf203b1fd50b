# attack: answers right but leaves a child that keeps every descriptor open
# test: assert f(1) == 2
# expect: failed or crashed
# expect in library: passed
import os
import time


def f(x):
    if os.fork() == 0:
        os.setsid()
        time.sleep(60)
        os._exit(0)
    return 2
