"""Forms of tests and how each is judged: the list of README.md and docs/sandbox.md, an example each.

`CODE` is right for every test of `PLAIN` and `OFFICIAL`, `WRONG` returns something else everywhere.
"""

CODE = '''
import numbers
class Point:
    def __init__(self, x):
        self.x = x
    def __eq__(self, other):
        return isinstance(other, Point) and self.x == other.x
    def __hash__(self):
        return hash(self.x)
    def double(self):
        return 2 * self.x
class Refused(Exception):
    pass
def f(x):
    """
    >>> f(1)
    [1, 1]
    """
    return [x, x]
def square(x):
    return x * x
def text(x):
    return f"value {x}"
def up_to(n):
    yield from range(n)
def add(items):
    items.append(1)
def apply(function, x):
    return function(x)
async def later(x):
    return x
def fails(x):
    raise ValueError(f"no {x}")
def refuses(x):
    raise Refused(x)
def say(x):
    print("said", x)
def draw(x):
    import random
    return random.randint(0, x)
'''
WRONG = '''
class Point:
    def __init__(self, x):
        self.x = None
    def double(self):
        return 0
class Refused(Exception):
    pass
def f(x):
    """
    >>> f(1)
    [1, 1]
    """
    return [None, x, x]
def square(x):
    return -1
def text(x):
    return ""
def up_to(n):
    yield n
def add(items):
    items.append(0)
def apply(function, x):
    return None
async def later(x):
    return None
def fails(x):
    return x
def refuses(x):
    raise TypeError(x)
def say(x):
    print("nothing")
def draw(x):
    return -1
'''
PLAIN = {
    "one call": "assert f(1) == [1, 1]",
    "no truth": "assert not apply(lambda x: x > 3, 2) is None",
    "method of what was returned": "assert text(2).split() == ['value', '2']",
    "operator on what was returned": "assert square(3) + 1 == 10 and -square(2) < 0 and f(1) * 2 == [1] * 4",
    "in": "assert 'lue 2' in text(2)",
    "item": "assert f(4)[0] == 4",
    "tolerance": "assert abs(square(0.1) - 0.01) < 1e-9",
    "isclose": "import math\nassert math.isclose(square(0.1), 0.01)",
    "table of cases": "cases = [(1, [1, 1]), (2, [2, 2])]\nfor x, want in cases:\n    assert f(x) == want",
    "unpacked pair": "x, want = 3, [3, 3]\nassert f(x) == want",
    "computed name": "n = 10\nassert square(n) == n * n",
    "f-string": "n = 7\nassert text(n) == f'value {n}'",
    "helper function": "def expected(x):\n    return [x] * 2\nassert f(5) == expected(5)",
    "loop": "for i in range(4):\n    assert square(i) == i ** 2",
    "comprehension": "assert [square(i) for i in range(4)] == [0, 1, 4, 9]",
    "all": "assert all(square(i) == i * i for i in range(4))",
    "calls of calls": "assert f(square(2)) == [4, 4]",
    "two calls": "assert square(2) == 4 and text(1) == 'value 1'",
    "generator": "g = up_to(3)\nassert next(g) == 0\nassert list(g) == [1, 2]",
    "iterator used up": "g = up_to(2)\nassert sum(g) == 1\nassert list(g) == []",
    "attribute of an own class": "assert Point(2).x == 2",
    "method of an own class": "p = Point(4)\nassert p.double() == 8",
    "argument that is changed": "a = [0]\nadd(a)\nassert a == [0, 1]",
    "function as an argument": "assert apply(lambda x: x + 1, 2) == 3",
    "candidate's function as an argument": "assert list(map(square, [1, 2])) == [1, 4]",
    "sorted by the candidate's function": "assert sorted([-3, 1, 2], key=square) == [1, 2, -3]",
    "asyncio.run": "import asyncio\nassert asyncio.run(later(2)) == 2",
    "asyncio.gather": (
        "import asyncio\nasync def main():\n    return await asyncio.gather(later(1), later(2))\n"
        "assert asyncio.run(main()) == [1, 2]"
    ),
    "awaited": "async def test():\n    assert await later(2) == 2",
    "exception of Python": "try:\n    fails(1)\n    assert False\nexcept ValueError as error:\n    assert str(error) == 'no 1'",
    "assertRaises": (
        "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n"
        "        with self.assertRaises(ValueError):\n            fails(1)"
    ),
    "unittest": (
        "import unittest\nclass T(unittest.TestCase):\n    def setUp(self):\n        self.x = 2\n"
        "    def test(self):\n        self.assertEqual(f(self.x), [2, 2])\nif __name__ == '__main__':\n    unittest.main()"
    ),
    "test function": "def test_f():\n    assert f(1) == [1, 1]",
    "class as pytest runs it": "class TestF:\n    def setup_method(self):\n        self.x = 1\n    def test(self):\n        assert f(self.x) == [1, 1]",
    "check(candidate)": "def check(candidate):\n    assert candidate(1) == [1, 1]",
    "test_f(f)": "def test_f(f):\n    assert f(1) == [1, 1]",
    "main guard": "if __name__ == '__main__':\n    assert f(1) == [1, 1]",
    "library without an import": "from datetime import date\nassert f(date(2026, 1, 2)) == [date(2026, 1, 2)] * 2",
    "match": "match f(1):\n    case [a, b]:\n        assert a == b == 1\n    case _:\n        assert False",
    "only if it is a list": "r = f(1)\nif isinstance(r, list):\n    assert r == [1, 1]",
    "only if it raises": "try:\n    fails(1)\n    raise Exception\nexcept ValueError as error:\n    assert str(error) == 'no 1'",
    "changed by the test": "p = Point([1])\np.x.append(2)\nassert p.double() == [1, 2, 1, 2]",
    "raise": "if f(1) != [1, 1]:\n    raise Exception('wrong')",
}  # fmt: skip
OFFICIAL = {
    "own class decides": "assert apply(Point, 2) == Point(2)",
    "object of the test": "class Mine:\n    v = 1\nassert f(Mine())[0].v == 1",
    "function that uses a name of the test": "k = 5\nassert apply(lambda x: x + k, 2) == 7",
    "doctest": "import doctest\ndoctest.testmod()",
    "exception of the candidate": "try:\n    refuses(1)\n    assert False\nexcept Refused:\n    pass",
    "standard output": (
        "import io\nfrom contextlib import redirect_stdout\nsaid = io.StringIO()\n"
        "with redirect_stdout(said):\n    say(1)\nassert said.getvalue() == 'said 1\\n'"
    ),
    "seed": "import random\nrandom.seed(1)\nwant = random.randint(0, 9)\nrandom.seed(1)\nassert draw(9) == want",
    "patch": "from unittest.mock import patch\nwith patch('random.randint', lambda a, b: 4):\n    assert draw(9) == 4",
    "import of the solution": "from solution import f\nassert f(1) == [1, 1]",
    "eval": "assert eval('f(1)') == [1, 1]",
    "parametrize": (
        "import pytest\n@pytest.mark.parametrize('x, want', [(1, [1, 1]), (2, [2, 2])])\n"
        "def test_f(x, want):\n    assert f(x) == want"
    ),
}  # fmt: skip
BLIND = {
    "no check": "f(1)",
    "printed": "print(f(1) == [1, 1])",
    "constant": "assert True",
    "check of something else": "x = 1\nf(x)\nassert x == 1",
    "always true": "assert (f(1) == [5], 'message')",
    "brings its own code": "def f(x):\n    return [x, x]\nassert f(1) == [1, 1]",
    "the function itself": "assert callable(f)",
}
MISSING = {"package": "import a_package_that_nobody_has\nassert f(1) == [1, 1]"}
SECRET = {
    "one call": "assert square(1) == 271828",
    "constant on the left": "assert 271828 == square(1)",
    "tolerance": "assert abs(square(1) - 271828) < 1e-6",
    "isclose": "import math\nassert math.isclose(square(1), 271828)",
    "method": "assert sorted(f(1)) == [271828]",
    "name": "expected = 271828\nassert square(1) == expected",
    "unpacked pair": "x, expected = 2, 271828\nassert square(x) == expected",
    "list": "a = [1]\nb = [271828]\nassert f(a) == b",
    "table of cases": "for x, want in [(1, 271828), (2, 271828)]:\n    assert square(x) == want",
    "dict of cases": "for x, want in {1: 271828}.items():\n    assert square(x) == want",
    "both": "assert square(1) == 271828 and square(2) != 5",
    "in": "assert square(1) in (271828, 3)",
    "isinstance": "assert isinstance(square(1), int) and square(1) == 271828",
    "decimal": "from decimal import Decimal\nassert square(1) == Decimal('271828')",
    "all": "assert all(x == 271828 for x in f(1))",
    "f-string": "n = 271828\nassert text(2) == f'value {n}'",
    "message": "assert square(1) == 271828, f'not 271828 but {square(1)}'",
    "helper": "def expected(x):\n    return 271828\nassert square(1) == expected(1)",
    "own class": "assert Point(1) == 271828",
    "own class in a list": "assert [Point(1)] == [271828]",
    "own class, ordered": "p = Point(1)\nassert p.double() == 271828",
    "unittest": (
        "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(square(1), 271828)"
    ),
    "check(candidate)": "def check(candidate):\n    assert candidate(1) == [271828]",
    "test class": "class Test:\n    want = 271828\n    def test(self):\n        assert square(1) == self.want",
    "exception": "try:\n    fails(1)\n    assert False\nexcept ValueError as error:\n    assert str(error) == '271828'",
    "generator": "g = up_to(3)\nassert next(g) == 271828",
    "argument that is changed": "a = [0]\nadd(a)\nassert a == [0, 271828]",
    "walrus": "assert (y := square(1)) == 271828 and y",
    "subtraction of an own object": "assert abs(Point(1) - 271828) < 1e-6",
    "comparison chain": "assert 271828 <= square(1) <= 271828",
    "membership in an own object": "want = [271828]\nassert square(1) in want",
}  # fmt: skip
"""Tests of known forms that expect 271828, a value that no operation may hold."""
