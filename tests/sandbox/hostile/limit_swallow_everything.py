# attack: catches whatever is raised to stop it and goes on
# test: assert f(1) == 2
# expect: timeout
import signal

for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass


def f(x):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
