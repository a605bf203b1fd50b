# attack: ends its own thread quietly
# test: assert f(1) == 2
# expect: failed or crashed
import _thread


def f(x):
    _thread.exit()
