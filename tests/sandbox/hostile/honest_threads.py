# honest: uses threads, which the library profile allows
# test: assert f(4) == [0, 1, 4, 9]
# expect: failed or passed
# expect in library: passed
from concurrent.futures import ThreadPoolExecutor


def f(n):
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda i: i * i, range(n)))
