# honest: module-level constants, helpers, lambdas, closures, decorators and unpacking
# test: assert f(2) == 42
# test: assert LIMIT == 40
# test: assert twice(3) == 6
# expect: passed
LIMIT, *REST = 40, 1, 2
TABLE = {n: n * n for n in range(10)}
twice = lambda n: 2 * n  # noqa: E731


def logged(function):
    def inner(*args, **kwargs):
        """Calls the function that it wraps."""
        return function(*args, **kwargs)

    return inner


@logged
def f(x):
    return LIMIT + x if x in TABLE else REST
