# attack: spreads its CPU time over threads
# test: assert f(1) == 2
# expect: failed or timeout
# expect in library: timeout
import threading


def burn():
    while True:
        pass


def f(x):
    for _ in range(4):
        threading.Thread(target=burn, daemon=True).start()
    burn()
