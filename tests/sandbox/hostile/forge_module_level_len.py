# attack: shadows the builtins that tests use by names of its own module
# test: assert len(f(1)) == 7
# test: assert abs(f(1)[0] - 7.0) < 1e-6
# test: assert set(f(1)) == {7}
# expect: failed
def len(_):
    return 7


def abs(_):
    return 0.0


def set(_):
    return {7}


def f(x):
    return [1, 2, 3]
