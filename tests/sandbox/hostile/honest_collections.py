# honest: subclasses of the builtin containers compare as Python compares them
# test: assert f("aab") == {"a": 2, "b": 1}
# test: assert g() == {"x": 1}
# test: assert h() == {1: [2]}
# test: assert k() == deque([1, 2])
# test: assert m() == [1, 2]
# test: assert list(k()) == [1, 2]
# expect: passed
from collections import Counter, OrderedDict, UserList, defaultdict, deque


class Stack(list):
    def push(self, value):
        self.append(value)
        return self


def f(x):
    return Counter(x)


def g():
    return OrderedDict(x=1)


def h():
    groups = defaultdict(list)
    groups[1].append(2)
    return groups


def k():
    return deque([1, 2])


def m():
    return Stack().push(1).push(2)
