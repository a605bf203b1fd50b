# attack: raises an exception whose text never ends
# test: assert f(1) == 2
# expect: failed or timeout
class Endless(Exception):
    def __str__(self):
        while True:
            pass

    __repr__ = __str__


def f(x):
    raise Endless
