# attack: a list whose length, iteration and equality disagree with its content
# test: assert f(1) == [1, 2]
# test: assert list(f(1)) == [1, 2]
# expect: failed
class List(list):
    def __eq__(self, other):
        self[:] = other
        return True

    def __len__(self):
        return 2

    def __iter__(self):
        yield Same()
        yield Same()


class Same:
    def __eq__(self, other):
        return True


def f(x):
    return List([9])
