# honest: counts its calls in a global, which starts anew for every test
# test: assert f() == 1
# test: assert f() == 1
# test: f()
# | assert f() == 2
# test: assert [f(), f(), f()] == [1, 2, 3]
# expect: passed
count = 0


def f():
    global count
    count += 1
    return count
