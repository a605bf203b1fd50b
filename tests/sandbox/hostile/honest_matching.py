# honest: structural matching, walrus, keyword-only and positional-only parameters, star expressions
# test: assert f([1, 2, 3]) == (1, [2, 3])
# test: assert f({"k": 5}) == 5
# test: assert f("other") is None
# test: assert g(1, b=2) == 3
# expect: passed
def f(x, /):
    match x:
        case [first, *rest]:
            return first, rest
        case {"k": value}:
            return value
    return None


def g(a, /, *, b):
    return total if (total := a + b) else None
