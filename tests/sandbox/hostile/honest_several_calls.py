# honest: tests that combine calls, comprehensions, chains and boolean operators
# test: assert f(1) == 2 and f(2) == 3
# test: assert all(f(n) > n for n in range(10))
# test: assert f(f(f(1))) == 4
# test: assert [f(n) for n in (1, 2)] == [2, 3]
# test: assert f(1) == 3 or f(1) == 2
# test: assert f(x=1) == f(*[1]) == f(**{"x": 1}) == 2
# test: assert (f(1), f(2)) == (2, 3)
# test: assert f(1) == 2, f"got {f(1)}"
# test: assert f(1) != 2
# test: assert f(1) in [1, 2, 3]
# test: assert not f(1) == 3
# test: assert f(1) == 1 + 1
# test: assert isinstance(f(1), int)
# test: assert f(1) == len("ab")
# expect: passed
# expect 9: failed
def f(x):
    return x + 1
