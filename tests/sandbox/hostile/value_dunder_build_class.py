# attack: deletes builtins that every later statement needs
# test: assert f(1) == 1
# test: assert f(1) == 2
# expect: passed or failed or crashed
# expect 2: failed or crashed
import builtins

for name in list(vars(builtins)):
    if name not in ("__import__", "BaseException"):
        try:
            delattr(builtins, name)
        except AttributeError:
            pass


def f(x):
    return x
