# attack: replaces the code of functions in its callers' modules, leaving the names in place
# test: assert f(1) == 2
# test: assert f(2) == 3
# expect: failed or crashed
import gc
import types


def agree(*_, **__):
    return True


def f(x):
    for thing in gc.get_objects():
        if isinstance(thing, types.FunctionType) and not thing.__code__.co_freevars:
            if thing.__module__ in ("__main__", "worker", "codepref.sandbox.worker"):
                try:
                    thing.__code__ = agree.__code__
                except ValueError:
                    pass
    return 1
