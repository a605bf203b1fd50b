"""What goes to the candidate's process, and what stays with the judge."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codepref.sandbox.plan import KINDS, plan


@pytest.mark.parametrize(
    ("test", "kind", "calls", "expected"),
    [
        ("assert f(1) == 2", "eq", ["f(1)"], 2),
        ("assert [1, 2] == f(3), 'message'", "eq", ["f(3)"], [1, 2]),
        ("assert f(1) != 'a'", "ne", ["f(1)"], "a"),
        ("assert f(1) is None", "is", ["f(1)"], None),
        ("assert f(1) is not True", "isnot", ["f(1)"], True),
        ("assert f(1)", "truth", ["f(1)"], None),
        ("assert not f(1).x[2]", "not", ["f(1).x[2]"], None),
        ("assert f(g(2), [3]) == -1.5", "eq", ["f(g(2), [3])"], -1.5),
        ("assert f(\n  1,\n  2) == 3", "eq", ["(f(\n  1,\n  2)\n)"], 3),
        ("assert f('é') == 'ü'", "eq", ["f('é')"], "ü"),
    ],
)
def test_simple_comparisons(test, kind, calls, expected):
    made = plan(test, "f")
    assert (made.kind, [source for _, source in made.steps], made.expected) == (kind, calls, expected)


@pytest.mark.parametrize(
    ("test", "secret"),
    [
        ("assert f(1) == 271828", "271828"),
        ("assert abs(f(1) - 271.828) < 1e-6", "271.828"),
        ("import math\nassert math.isclose(f(1), 2.71828)", "2.71828"),
        ("assert sorted(f(1)) == [271828]", "271828"),
        ("expected = 271828\nassert f(1) == expected", "271828"),
        ("a = [1]\nb = [271828]\nassert f(a) == b", "271828"),
        ("assert f(1) == 271828 and g(2) != 5", "271828"),
        ("assert f(1) in (271828, 3)", "271828"),
        ("assert isinstance(f(1), int) and f(1) == 271828", "271828"),
        ("assert f(1) == Decimal('271828')", "271828"),
        ("assert all(x == 271828 for x in f(1))", "271828"),
        ("assert sorted(f(1), key=lambda x: -x) == [271828]", "271828"),
    ],
)
def test_expected_values_stay_with_the_judge(test, secret):
    for how in ("plan", "second"):
        made = plan(test, "f", how)
        assert made.kind not in ("official", "broken")
        assert not any(secret in source for _, source in made.steps)


@pytest.mark.parametrize(
    "test",
    [
        "for i in range(3):\n    assert f(i) == i",
        "assert all(f(i) == i for i in range(3))",
        "try:\n    f(1)\nexcept ValueError:\n    pass",
        "with raises(ValueError):\n    f(1)",
        "def test():\n    assert f(1) == 1",
        "class A: pass\nassert f(A()) == 1",
        "assert f(1) is g(1)",
        "assert f(1) == __import__('os').getpid()",
        "assert f(1) == eval('2')",
        "assert f(1) == ().__class__",
        "assert f'{f(1)}' == '1'",
        "assert (f(1) if g(2) else f(3)) == 1",
        "from os import *\nassert f(1) == 1",
        "import os\nassert f(1) == os.getpid()",
        "assert (x := f(1)) == 1",
        "",
    ],
)
def test_what_can_not_be_split_runs_whole(test):
    assert plan(test, "f").kind == "official"


def test_only_candidates_are_compared():
    assert plan("assert f(1) == g(2)", "f").kind == "own"
    assert plan("assert f(1) == Counter()", "f").kind == "judge"


def test_a_name_used_beside_the_candidate_comes_from_there():
    made = plan("a = [3, 1]\nf(a)\nassert a == [1, 3]", "f")
    assert made.steps == [("exec", "a = [3, 1]"), ("exec", "f(a)"), ("eval", "a")]
    assert made.prelude == ""


def test_whole_keeps_the_test_in_one_piece():
    assert plan("assert f(1) == 2", "f", "whole").steps == [("exec", "assert f(1) == 2")]


def test_definitions_are_called():
    assert plan("def test_a():\n    assert f(1)", None).steps[0][1].endswith("\ntest_a()")
    assert plan("def check(candidate):\n    assert candidate(1)", "f").steps[0][1].endswith("\ncheck(f)")
    assert (
        not plan("def check(candidate):\n    assert candidate(1)\ncheck(f)", "f")
        .steps[0][1]
        .endswith("check(f)\ncheck(f)")
    )
    assert (
        "TestResult" in plan("import unittest\nclass T(unittest.TestCase):\n    def test(self): pass", "f").steps[0][1]
    )


@given(st.text(max_size=80))
def test_any_text_has_a_plan(text):
    assert plan(text, "f").kind in KINDS
    assert plan("assert " + text, "f").kind in KINDS


@pytest.mark.parametrize(
    "test", ["(" * 5000, "assert f(" + "-" * 3000 + "1)", "assert " + "[" * 150 + "]" * 150, "assert 1" + "+1" * 20000]
)
def test_deep_texts_have_a_plan(test):
    assert plan(test, "f").kind in KINDS
