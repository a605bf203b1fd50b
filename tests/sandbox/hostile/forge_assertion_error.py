# attack: replaces the exception of a failed assert by one that is caught, or by success
# test: assert f(1) == 2
# expect: failed
import builtins


class Quiet(BaseException):
    pass


builtins.AssertionError = Quiet
AssertionError = Quiet


def f(x):
    return 1
