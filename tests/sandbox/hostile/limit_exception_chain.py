# attack: raises an exception whose class, text and arguments are all hostile
# test: assert f(1) == 2
# expect: failed or crashed
class Name(str):
    def __format__(self, spec):
        raise SystemExit(0)

    __str__ = __repr__ = __format__


class Meta(type):
    def __getattribute__(cls, name):
        if name in ("__name__", "__qualname__", "__module__"):
            raise SystemExit(0)
        return type.__getattribute__(cls, name)


class Hostile(Exception, metaclass=Meta):
    args = property(lambda self: 1 / 0)

    def __str__(self):
        raise SystemExit(0)

    __repr__ = __str__


def f(x):
    raise Hostile(Name("passed"))
