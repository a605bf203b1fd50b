# attack: hides objects that equal everything inside honest containers
# test: assert f(1) == [2, 3]
# test: assert sorted(f(1)) == [2, 3]
# test: assert tuple(f(1)) == (2, 3)
# test: assert f(1)[0] == 2
# expect: failed
class Anything:
    def __eq__(self, other):
        return True

    def __lt__(self, other):
        return True


def f(x):
    return [Anything(), Anything()]
