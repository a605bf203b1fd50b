# honest: changes its argument in place and returns nothing
# test: a = [3, 1, 2]
# | f(a)
# | assert a == [1, 2, 3]
# test: a = [3, 1, 2]
# | assert f(a) is None
# test: a = [2, 1]; f(a); assert a[0] == 1
# test: a = [1]
# | assert g(a) is a
# test: a = [1]
# | b = g(a)
# | assert a == [1, 0] and b == [1, 0]
# expect: passed
def f(values):
    values.sort()


def g(values):
    values.append(0)
    return values
