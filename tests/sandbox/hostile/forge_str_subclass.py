# attack: a str that equals every str, whatever method asks
# test: assert f(1) == "right"
# test: assert f(1).strip() == "right"
# expect: failed
class Str(str):
    __hash__ = str.__hash__

    def __eq__(self, other):
        return True

    def strip(self, *_):
        return self

    def encode(self, *_):
        return b"right"


def f(x):
    return Str("wrong")
