# honest: returns one and the same object from several calls
# test: assert f(1) == f(2)
# test: assert [f(1), f(2)] == [[1, 2], [1, 2]]
# test: assert f(1) is f(1)
# test: assert g() is g()
# test: assert f(1) is not h(1)
# expect: passed
seen = []


class Only:
    pass


only = Only()


def f(x):
    if x not in seen:
        seen.append(x)
    return seen


def g():
    return only


def h(x):
    return [x]
