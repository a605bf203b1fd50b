# honest: wrong container types and near misses must fail, equal numbers of other types must pass
# test: assert f([1, 2]) == [1, 2]
# test: assert f((1, 2)) == [1, 2]
# test: assert f(1) == True
# test: assert f(1) == 1.0
# test: assert f(1) is True
# test: assert f("1") == 1
# test: assert f({1: 2}) == {1: 2.0}
# test: assert f([1, 2]) == [2, 1]
# test: assert f("a") == b"a"
# test: assert f(0.1 + 0.2) == 0.3
# test: assert f(2**53 + 1) == float(2**53)
# test: assert f(-0.0) == 0
# expect: passed
# expect 2: failed
# expect 5: failed
# expect 6: failed
# expect 8: failed
# expect 9: failed
# expect 10: failed
# expect 11: failed
def f(x):
    return x
