# attack: keeps the arguments' containers alive and changes them after the call to fit
# test: a = [3, 1, 2]
# | assert f(a) == [1, 2, 3]
# expect: failed
class Echo(list):
    def __eq__(self, other):
        return list.__eq__(self, self)


def f(x):
    return Echo(x)
