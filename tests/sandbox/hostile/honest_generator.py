# honest: answers with generators, ranges, views and iterators
# test: assert list(f(3)) == [0, 1, 4]
# test: assert sorted(f(3)) == [0, 1, 4]
# test: assert sum(f(3)) == 5
# test: assert list(g(3)) == [0, 1, 2]
# test: assert g(3) == range(3)
# test: assert set(h(2)) == {0, 1}
# test: assert next(f(3)) == 0
# test: assert f(3) == [0, 1, 4]
# expect: passed
# expect 8: failed
def f(n):
    for i in range(n):
        yield i * i


def g(n):
    return range(n)


def h(n):
    return dict.fromkeys(range(n)).keys()
