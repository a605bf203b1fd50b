# attack: takes the highest priority and all memory locks before it loops
# test: assert f(1) == 2
# expect: timeout or failed or crashed
import ctypes
import os


def f(x):
    for attempt in (
        lambda: os.nice(-20),
        lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(99)),
        lambda: os.setpriority(os.PRIO_PROCESS, 0, -20),
        lambda: ctypes.CDLL(None).mlockall(3),
    ):
        try:
            attempt()
        except OSError:
            pass
    while True:
        pass
