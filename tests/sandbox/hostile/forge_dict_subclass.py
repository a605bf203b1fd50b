# attack: a dict whose items lie and which equals every dict
# test: assert f(1) == {"a": 1}
# test: assert dict(f(1)) == {"a": 1}
# test: assert f(1)["a"] == 1
# expect: failed
class Same(int):
    __hash__ = int.__hash__
    __eq__ = lambda self, other: True


class Dict(dict):
    __eq__ = lambda self, other: True

    def keys(self):
        return ["a"]

    def items(self):
        return [("a", Same(7))]

    def __getitem__(self, key):
        return Same(7)


def f(x):
    return Dict(b=2)
