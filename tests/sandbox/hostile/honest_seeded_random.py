# honest: draws random numbers from a seeded generator and keeps what it drew in order
# test: assert f(0) == [50, 98, 54]
# test: assert f(0) == f(0)
# test: assert len(g()) == 3
# expect: passed
import random


def f(seed):
    random.seed(seed)
    return [random.randint(1, 100) for _ in range(3)]


def g():
    return {random.random() for _ in range(3)}
