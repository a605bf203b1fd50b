# attack: replaces the functions with which a grader runs the test
# test: assert f(1) == 2
# test: assert f(2) == 3
# expect: failed or crashed
import builtins

builtins.exec = builtins.eval = lambda *_, **__: True
builtins.compile = lambda *_, **__: (lambda: True).__code__


def f(x):
    return 1
