# attack: looks for the grader's own modules and makes its comparison always agree
# test: assert f(1) == 2
# expect: failed
import sys


def f(x):
    for name, module in list(sys.modules.items()):
        if "codepref" in name or "sandbox" in name or "worker" in name:
            for attribute in dir(module):
                if callable(getattr(module, attribute, None)):
                    setattr(module, attribute, lambda *_, **__: True)
    try:
        import codepref.sandbox as engine

        engine.Cell = lambda *_, **__: "passed"
    except ImportError:
        pass
    return 1
