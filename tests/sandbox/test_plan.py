"""What goes to the candidate's process, and what stays with the judge, told from a test's text alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codepref.sandbox.plan import DIRECT, KINDS, plan


@pytest.mark.parametrize(
    ("test", "kind", "call", "expected"),
    [
        ("assert f(1) == 2", "eq", "f(1)", 2),
        ("assert [1, 2] == f(3), 'message'", "eq", "f(3)", [1, 2]),
        ("assert f(1) != 'a'", "ne", "f(1)", "a"),
        ("assert f(1) is None", "is", "f(1)", None),
        ("assert f(1) is not True", "isnot", "f(1)", True),
        ("assert f(1)", "truth", "f(1)", None),
        ("assert not f(1)", "not", "f(1)", None),
        ("assert f(set([3]), [3], k=(1,)) == -1.5", "eq", "f(set([3]), [3], k=(1,))", -1.5),
        ("assert f(\n  1,\n  2) == 3", "eq", "f(1, 2)", 3),
        ("assert f('é') == 'ü'", "eq", "f('é')", "ü"),
        ("assert f(lambda x: -x, 2) == 3", "eq", "f(lambda x: -x, 2)", 3),
    ],
)
def test_one_call_with_literal_arguments_is_judged_directly(test, kind, call, expected):
    made = plan(test, "f")
    assert (made.kind, made.steps, made.expected) == (kind, [("eval", call)], expected)


@pytest.mark.parametrize(
    ("test", "condition"),
    [
        ("assert abs(f(1) - 271.828) < 1e-6", "abs(_v(0) - 271.828) < 1e-06"),
        ("assert sorted(f(1)) == [271828]", "sorted(_v(0)) == [271828]"),
        ("assert f(1) in (271828, 3)", "_v(0) in (271828, 3)"),
        ("assert isinstance(f(1), int)", "isinstance(_v(0), int)"),
        ("assert all(x == 271828 for x in f(1))", "all((x == 271828 for x in _v(0)))"),
        ("assert f(1).startswith('a')", "_v(0).startswith('a')"),
    ],
)
def test_a_condition_is_text_for_the_judge(test, condition):
    made = plan(test, "f")
    assert (made.kind, made.steps, made.condition) == ("judge", [("eval", "f(1)")], condition)


@pytest.mark.parametrize(
    "test",
    [
        "for i in range(3):\n    assert f(i) == i",
        "assert all(f(i) == i for i in range(3))",
        "try:\n    f(1)\nexcept ValueError:\n    pass",
        "def test():\n    assert f(1) == 1",
        "class A: pass\nassert f(A()) == 1",
        "assert f(1) is g(1)",
        "assert f'{f(1)}' == '1'",
        "assert (f(1) if g(2) else f(3)) == 1",
        "assert (x := f(1)) == 1",
        "expected = 2\nassert f(1) == expected",
        "import math\nassert math.isclose(f(1), 2.5)",
        "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(f(1), 2)",
        "async def test():\n    assert await f(1) == 1",
        "a = [3, 1]\nf(a)\nassert a == [1, 3]",
        "def check(candidate):\n    assert candidate(1) == 2",
        "assert f(1) == Decimal(2)",
        "",
    ],
)
def test_any_other_test_is_played(test):
    assert plan(test, "f").kind == "play"


@pytest.mark.parametrize(
    ("test", "modules"),
    [
        ("import random\nrandom.seed(1)\nassert f(1) == 1", ("random",)),
        ("from random import seed\nassert f(1) == 1", ("random",)),
        ("assert f(1) == __import__('os').getpid()", ()),
        ("assert f(1) == eval('2')", ()),
        ("from os import *\nassert f(1) == 1", ("os",)),
        ("import os.path, pytest\nassert f(1) == os.getpid()", ("os", "pytest")),
        ("try:\n    import pytest\nexcept ImportError:\n    pass\nassert f(1)", ()),
        ("from solution import f\nassert f(1) == 2", ()),
        ("try:\n    f(1)\nexcept Own:\n    pass\nelse:\n    assert False", ()),
        ("class Mine(Base): pass\nassert f(Mine()) == 1", ()),
        ("with open('a') as file:\n    assert f(file)", ()),
        ("from contextlib import redirect_stdout\nassert f(1) == 1", ("contextlib",)),
        ("import sys\nassert f(1) == sys.stdin", ("sys",)),
        ("match f(1):\n    case P(x=2):\n        pass\n    case _:\n        assert False", ()),
    ],
)
def test_what_does_something_to_its_process_runs_beside_the_candidate(test, modules):
    made = plan(test, "f")
    assert (made.kind, made.modules) == ("official", modules)
    assert made.steps == [("whole", [test, "f"])]


@pytest.mark.parametrize(
    "test",
    [
        "def f(x):\n    return 2\nassert f(1) == 2",
        "f = lambda x: 2\nassert f(1) == 2",
        "assert (f(1) == 3, 'always true')",
        "assert f(1) == 1 or True",
        "import os\nos.getpid()",
    ],
)
def test_a_test_that_any_code_passes_is_blind(test):
    assert plan(test, "f").kind == "blind"


def test_a_comparison_of_two_calls_is_judged_directly():
    made = plan("assert f(1) <= g(2)", "f")
    assert (made.kind, made.steps, made.condition) == ("judge", [("eval", "f(1)"), ("eval", "g(2)")], "_v(0) <= _v(1)")


def test_the_same_text_of_another_entry_point_is_not_blind():
    assert plan("def g(x):\n    return 2\nassert f(1) == g(2)", "f").kind == "play"
    assert plan("def f(x):\n    return 2\nassert f(1) == 2", "g").kind == "play"


def test_how():
    assert plan("assert f(1) == 2", "f", "whole").steps == [("whole", ["assert f(1) == 2", "f"])]
    assert plan("assert f(1) == 2", "f", "whole").kind == "official"
    assert plan("assert f(1) == 2", "f", "play").kind == "play"


@given(st.text(max_size=80))
def test_any_text_has_a_plan(text):
    for how in ("plan", "whole", "play"):
        assert plan(text, "f", how).kind in KINDS
        assert plan("assert " + text, "f", how).kind in KINDS


@pytest.mark.parametrize(
    "test", ["(" * 5000, "assert f(" + "-" * 3000 + "1)", "assert " + "[" * 150 + "]" * 150, "assert 1" + "+1" * 20000]
)
def test_deep_texts_have_a_plan(test):
    assert plan(test, "f").kind in KINDS


def test_text_that_does_not_parse_is_left_to_the_candidates_interpreter():
    assert plan("assert f(1", None).kind == "broken"
    assert plan("assert f(1) == '\0'", None).kind == "broken"


def test_direct_kinds_are_kinds():
    assert KINDS.keys() > DIRECT
