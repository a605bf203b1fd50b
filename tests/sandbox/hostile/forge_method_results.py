# attack: objects whose methods and parts are always equal too
# test: assert f(1).strip() == "a"
# test: assert f(1)[0] == 2
# test: assert f(1).x == 3
# test: assert f(1)[0][1:2]["k"].items() == 3
# test: assert f(1) + 1 == 3
# test: assert len(f(1)) == 3
# test: assert f(1) - 1 < 0 < f(1) + 1
# expect: failed or crashed
class Anything:
    __eq__ = __lt__ = __gt__ = lambda self, other: True
    __getattr__ = __getitem__ = __add__ = __sub__ = __call__ = lambda self, *_: self
    __len__ = lambda self: 4


def f(x):
    return Anything()
