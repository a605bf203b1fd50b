# attack: raises its own BaseException whose type lies about its name
# test: assert f(1) == 2
# expect: failed or crashed
class Passed(BaseException):
    __name__ = property(lambda self: "passed")

    def __reduce__(self):
        return (print, ("passed",))


def f(x):
    raise Passed("passed")
