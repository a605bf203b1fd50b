# attack: a thread waits until the next test runs and replaces builtins under it
# test: assert f(1) == 1
# test: assert sorted(f(2)) == [9]
# expect: passed or failed or crashed ; passed
# expect 2: failed or crashed ; failed
# expect 2 in library: failed or crashed ; failed
import builtins
import threading
import time


def late():
    time.sleep(0.05)
    builtins.sorted = lambda *_: [9]


def f(x):
    threading.Thread(target=late, daemon=True).start()
    return x


# --- next candidate
def f(x):
    return x if x == 1 else [x]
