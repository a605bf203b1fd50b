# attack: starts five hundred threads that sleep
# test: assert f(1) == 2
# expect: failed or memory or timeout or crashed
import threading
import time


def f(x):
    for _ in range(500):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    return 1
