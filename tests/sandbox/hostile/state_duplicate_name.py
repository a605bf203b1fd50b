# attack: defines a helper of the same name as another candidate's; each must see its own
# test: assert f(1) == 2
# expect: failed ; passed ; failed
def helper(x):
    return x - 1


def f(x):
    return helper(x)


# --- next candidate
def helper(x):
    return x + 1


def f(x):
    return helper(x)


# --- next candidate
def f(x):
    return helper(x)
