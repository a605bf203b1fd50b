# attack: returns containers that contain themselves
# test: assert f(1) == [2]
# test: assert list(f(1)) == [2]
# expect: failed or output
def f(x):
    value = [2]
    value.append({"again": value})
    return value
