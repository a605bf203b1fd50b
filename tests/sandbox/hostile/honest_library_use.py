# honest: typing, collections, functools, itertools, heapq, re, datetime, string as ordinary programs use them
# test: assert f("a1 b22 a1") == {"a1": 2, "b22": 1}
# test: assert g(30) == 832040
# test: assert h([5, 1, 4]) == [1, 4]
# test: assert k("2024-02-28") == "2024-02-29"
# expect: passed
import datetime
import heapq
import itertools
import re
from collections import Counter, OrderedDict, defaultdict, deque
from functools import lru_cache, reduce
from typing import *


def f(text: str) -> Dict[str, int]:
    counts: DefaultDict[str, int] = defaultdict(int)
    for word in re.findall(r"\w+", text):
        counts[word] += 1
    return counts


@lru_cache(maxsize=None)
def g(n: int) -> int:
    return n if n < 2 else g(n - 1) + g(n - 2)


def h(values: List[int]) -> List[int]:
    heap = list(deque(values))
    heapq.heapify(heap)
    return list(itertools.islice((heapq.heappop(heap) for _ in values), 2))


def k(day: str) -> str:
    return str(datetime.date.fromisoformat(day) + datetime.timedelta(days=1))
