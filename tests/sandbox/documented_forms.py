"""How each form of a test is judged: the list of docs/sandbox.md, with one example each.

`plain`: the judge runs the test, the candidate's process is given calls and returns data. `official`: an object of the
candidate's own class decides, or the test can not be taken apart; a candidate that attacks its test can win there.
`blind`: the test checks nothing that the code returned, and is left out. `unjudged`: nothing is known about the code.
"""

from typing import NamedTuple

CODE = """class Point:
    def __init__(self, x, y=0):
        self.x, self.y = x, y

    def __eq__(self, other):
        return (self.x, self.y) == (other.x, other.y)

    def __add__(self, other):
        return Point(self.x + other.x, self.y + other.y)

    def norm(self):
        return abs(self.x) + abs(self.y)


def f(x):
    if x < 0:
        raise ValueError("negative")
    return x + 1


def count(n):
    yield from range(n)


def make(x):
    return Point(x)


def apply(function, x):
    return function(x)


async def later(x):
    return x + 1


def change(items):
    items.append(len(items))
"""
"""Passes every example."""


class Form(NamedTuple):
    """A form, an example of it, and how that is judged."""

    name: str
    test: str
    mode: str


FORMS = (
    Form("a call compared with a value", "assert f(1) == 2", "plain"),
    Form("in any operator, conversion or method", "assert f(1) in (2, 3) and str(f(1)).isdigit() and -f(1) < 0", "plain"),
    Form("names bound before", "x, want = 1, 2\nassert f(x) == want", "plain"),
    Form("a table of cases", "for x, want in [(1, 2), (5, 6)]:\n    assert f(x) == want", "plain"),
    Form("a helper of the test", "def want(x):\n    return x + 1\nassert f(4) == want(4)", "plain"),
    Form("a tolerance", "import math\nassert math.isclose(f(1) / 3, 0.6667, rel_tol=1e-3)", "plain"),
    Form("an expected exception", "try:\n    f(-1)\nexcept ValueError:\n    pass\nelse:\n    raise AssertionError", "plain"),
    Form("a generator", "g = count(3)\nassert next(g) == 0\nassert list(g) == [1, 2]", "plain"),
    Form("an argument that is changed", "items = [7]\nchange(items)\nassert items == [7, 1]", "plain"),
    Form("a function as an argument", "assert apply(lambda x: x * 2, 4) == 8", "plain"),
    Form("attributes and methods of an own object", "assert make(3).x == 3 and make(-3).norm() == 3", "plain"),
    Form("a test function", "def test_f():\n    assert f(1) == 2", "plain"),
    Form("`check(candidate)`", "def check(candidate):\n    assert candidate(1) == 2\ncheck(f)", "plain"),
    Form("unittest", "import unittest\nclass T(unittest.TestCase):\n    def test_f(self):\n        self.assertEqual(f(1), 2)", "plain"),
    Form("pytest's classes", "class TestF:\n    def test_f(self):\n        assert f(1) == 2", "plain"),
    Form("code under `__main__`", "def run():\n    assert f(1) == 2\nif __name__ == '__main__':\n    run()", "plain"),
    Form("an async function", "import asyncio\nassert asyncio.run(later(1)) == 2", "plain"),
    Form("own objects compared with each other", "assert make(1) == make(1)", "official"),
    Form("an own object made by the test", "assert make(2) == Point(2)", "official"),
    Form("operators of an own class", "assert (make(1) + make(2)).x == 3", "official"),
    Form("nothing that the code returned", "assert True", "blind"),
    Form("an own copy of the function", "def f(x):\n    return x + 1\nassert f(1) == 2", "blind"),
    Form("only that it runs", "f(1)", "blind"),
    Form("a package that is not there", "import a_package_that_nobody_has\nassert f(1) == 2", "unjudged"),
    Form("a fixture that is not known", "def test_f(tmp_path):\n    assert f(1) == 2\n    assert tmp_path", "unjudged"),
)  # fmt: skip
