# attack: raises a BaseException that `except Exception` does not see
# test: assert f(1) == 2
# expect: failed or crashed
def f(x):
    raise GeneratorExit
