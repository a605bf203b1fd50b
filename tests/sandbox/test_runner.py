"""The text of a test is run as its own runner would: what it defines runs too, once, and a failure is raised."""

import ast
import sys
import types
import unittest

import pytest
from playing import undisturbed

from codepref.sandbox.worker.runner import TEST_FILE, Outline, Runner, Unrunnable


@pytest.fixture(autouse=True)
def _undisturbed():
    with undisturbed():
        yield


def run(test, entry_point="f", **names):
    """What a test with the names of a candidate wrote down in `seen`."""
    seen = []
    sys.modules["__main__"] = types.ModuleType("__main__")
    namespace = sys.modules["__main__"].__dict__
    namespace.update(names, seen=seen, f=lambda x: x + 1)
    tree = ast.parse(test)
    with pytest.MonkeyPatch.context() as patch:
        for kind in (unittest.TestSuite, unittest.TestCase, unittest.TextTestRunner):
            for name in {"run", "debug"} & set(dir(kind)):
                patch.setattr(kind, name, getattr(kind, name))  # a sandbox ends after the test, this process does not
        for name in ("main", "TestProgram"):
            patch.setattr(unittest, name, getattr(unittest, name))
        Runner(namespace, entry_point).run(Outline(tree), compile(tree, TEST_FILE, "exec"))
    return seen


CASE = "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        seen.append(1)\n"
STARTS = (
    "unittest.TestLoader().loadTestsFromTestCase(T).run(unittest.TestResult())",
    "suite = unittest.TestSuite([T('test')])\nsuite(unittest.TestResult())",
    "T('test').run()",
    "T('test').debug()",
)
"""Ways to start a case oneself."""
PYTEST = "import pytest\n@pytest.mark.parametrize('x, y', [(1, 2), (3, 4)])\ndef test(x, y):\n    seen.append((x, y))"


@pytest.mark.parametrize(
    ("test", "seen"),
    [
        ("seen.append(f(1))", [2]),
        ("def test_a():\n    seen.append(1)\ndef test_b():\n    seen.append(2)", [1, 2]),
        ("def test_a():\n    seen.append(1)\ntest_a()", [1]),
        ("def check(candidate):\n    seen.append(candidate(1))", [2]),
        ("def check(candidate):\n    seen.append(candidate(1))\ncheck(f)", [2]),
        ("def test_f(f):\n    seen.append(f(2))", [3]),
        ("def main():\n    seen.append(1)", [1]),
        ("def run_tests():\n    seen.append(1)", [1]),
        ("def main():\n    seen.append(1)\nif __name__ == '__main__':\n    main()", [1]),
        ("def helper(x):\n    seen.append(x)\ndef test():\n    helper(3)", [3]),
        ("def helper():\n    seen.append(3)\nassert f(1) == 2", []),
        ("class TestA:\n    def setup_method(self):\n        self.x = 4\n    def test(self):\n        seen.append(self.x)", [4]),
        ("class A:\n    def test_it(self):\n        seen.append(1)\n    def other(self):\n        seen.append(2)", [1]),
        ("async def test():\n    seen.append(1)", [1]),
        ("class Test:\n    async def test(self):\n        seen.append(1)", [1]),
        (PYTEST, [(1, 2), (3, 4)]),
        ("import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        seen.append(1)", [1]),
        ("import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        seen.append(1)\nunittest.main()", [1]),
        (
            "from unittest import *\nclass T(TestCase):\n    def test(self):\n        seen.append(1)\nif __name__ == '__main__':\n    main()",
            [1],
        ),
        (
            "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        seen.append(1)\n"
            "unittest.TextTestRunner().run(unittest.defaultTestLoader.loadTestsFromTestCase(T))",
            [1],
        ),
        *((CASE + start, [1]) for start in STARTS),
        (CASE + "T('test')(unittest.TestResult())\nunittest.TextTestRunner().run(T('test'))", [1, 1]),
        (CASE + "class Other(T):\n    def test(self):\n        T('test').run()\nOther('test').run()", [1]),
        ("import unittest\nclass T(unittest.IsolatedAsyncioTestCase):\n    async def test(self):\n        seen.append(1)", [1]),
        ("def test_a(x=5):\n    seen.append(x)", [5]),
        ("import sys\nseen.append(1)\nsys.exit(0)", [1]),
    ],
)  # fmt: skip
def test_what_runs(test, seen):
    assert run(test) == seen


FAILS = "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(f(1), 3)\n"


@pytest.mark.parametrize(
    "test",
    [
        "assert f(1) == 3", "def test():\n    assert f(1) == 3", "def check(candidate):\n    assert candidate(1) == 3",
        "class Test:\n    def test(self):\n        assert f(1) == 3", "async def test():\n    assert f(1) == 3",
        "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(f(1), 3)",
        "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(f(1), 3)\nunittest.main(exit=False)",
        "import unittest\nclass T(unittest.TestCase):\n    @unittest.expectedFailure\n    def test(self):\n        self.assertEqual(f(1), 2)",
        FAILS + "unittest.TestLoader().loadTestsFromTestCase(T).run(unittest.TestResult())", FAILS + "T('test').run()",
        "import sys\nsys.exit(1)", "def end():\n    raise SystemExit('bad')\nend()", "def test():\n    assert f(1) == 2\ndef test_b():\n    assert 0",
        PYTEST + "\n    assert x == 1", "if __name__ == '__main__':\n    assert f(1) == 3",
    ],
)  # fmt: skip
def test_a_failure_is_raised(test):
    with pytest.raises(AssertionError):
        run(test)


def test_cases_that_the_code_starts_are_no_run_of_the_test():
    def start_own():
        case = type("Own", (unittest.TestCase,), {"runTest": lambda self: None})
        case().run()

    with pytest.raises(AssertionError, match="2 != 3"):
        run("start_own()\n" + FAILS, start_own=start_own)


def test_other_exceptions_stay_what_they_are():
    with pytest.raises(ValueError, match="no"):
        run("def test():\n    raise ValueError('no')")


def test_the_code_can_not_end_the_test_with_success():
    """`sys.exit(0)` in what a test calls is no success of the test."""
    with pytest.raises(AssertionError, match="exit status 0"):
        run("quit_quietly()\nassert False", quit_quietly=lambda: sys.exit(0))


def test_fixtures_are_not_known():
    with pytest.raises(Unrunnable, match="parameter tmp_path"):
        run("def test_f(tmp_path):\n    assert 0")
    with pytest.raises(Unrunnable, match="parameter more"):
        run("def test_f(f, more):\n    assert more")
    with pytest.raises(Unrunnable, match="parameter table"):
        run("def table():\n    return [1]\ndef test_f(table):\n    assert table")
    with pytest.raises(Unrunnable):
        run("def test_f(tmp_path):\n    assert 0", entry_point=None)


def test_doctest(tmp_path):
    text = "import doctest\ndef g(x):\n    '''\n    >>> g(1)\n    {}\n    '''\n    return x + 1\ndoctest.testmod()"
    run(text.format(2))
    with pytest.raises(AssertionError, match="1 of 1 examples"):
        run(text.format(3))
    with pytest.raises(AssertionError, match="0 of 0"):
        run("import doctest\ndoctest.testmod()")
