# attack: a cache shared between tests would hide that the second call differs
# test: assert f([1]) == 1
# test: assert f([1]) == 1
# expect: passed ; passed
seen = []


def f(x, cache=[]):
    cache.append(x)
    seen.append(x)
    return len(cache)


# --- next candidate
import functools


@functools.lru_cache(maxsize=None)
def count(n):
    count.calls = getattr(count, "calls", 0) + 1
    return count.calls


def f(x):
    return count(tuple(x))
