# honest: raises what the test wants to see raised
# test: try:
# |     f(-1)
# |     assert False
# | except ValueError:
# |     pass
# test: try:
# |     f(-1)
# | except ValueError as error:
# |     assert "negative" in str(error)
# | else:
# |     raise AssertionError
# test: try:
# |     f(1)
# |     assert False
# | except ValueError:
# |     pass
# test: assert f(-1) == 1
# expect: passed
# expect 3: failed
# expect 4: failed
class NegativeError(ValueError):
    pass


def f(x):
    if x < 0:
        raise NegativeError("negative number")
    return x
