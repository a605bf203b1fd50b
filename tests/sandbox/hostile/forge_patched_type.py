# attack: makes `type`, `isinstance` and `repr` tell that a wrong value is the right one
# test: assert f(1) == 2
# test: assert type(f(1)) is str
# test: assert repr(f(1)) == "2"
# test: assert isinstance(f(1), str)
# expect: failed or crashed
import builtins

builtins.type = lambda *_: str
builtins.isinstance = lambda *_: True
builtins.repr = builtins.str = lambda *_: "2"


def f(x):
    return 1
