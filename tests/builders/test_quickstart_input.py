"""The quickstart's input is well formed, mixed as its README says, and its stored truth can be derived again."""

import ast
import json
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
README = HERE.parents[1] / "builders" / "quickstart" / "README.md"


@pytest.fixture
def judge(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    import quickstart_judge

    return quickstart_judge


@pytest.fixture
def records(judge):
    return judge.read_input()


@pytest.fixture
def truth():
    return json.loads((HERE / "quickstart_truth.json").read_text(encoding="utf-8"))


def parses(source):
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def test_truth_is_derived_again_from_references_and_hidden_checks(judge, records, truth):
    assert judge.judge_all(records) == truth


def test_hidden_checks_hold_for_the_references(judge, records):
    reference = Path(judge.quickstart_reference.__file__).read_text(encoding="utf-8")
    assert sorted(judge.CHECKS) == sorted(record["entry_point"] for record in records)
    for name, text in judge.CHECKS.items():
        checks = text.strip().splitlines()
        assert len(set(checks)) >= 12, name
        assert all(judge.code_is_right(reference, [check]) for check in checks), name


@pytest.mark.parametrize(
    ("source", "right"),
    [
        ("def clamp_levels(v, low, high):\n    return [min(max(x, low), high) for x in v]", True),
        (
            "print('hello')\ndef clamp_levels(v, low, high):\n    return sorted(min(max(x, low), high) for x in v)",
            False,
        ),
        ("def clamp_levels(v, low, high):\n    v[:] = [min(max(x, low), high) for x in v]\n    return v", False),
        ("def clamp_levels(v, low, high):\n    while True:\n        pass", False),
        ("def clamp_levels(v, low, high):\n    return [min(", False),
        ("raise SystemError", False),
    ],
)
def test_judge_of_codes(judge, source, right):
    assert judge.code_is_right(source, judge.CHECKS["clamp_levels"].strip().splitlines()) is right


@pytest.mark.parametrize(
    ("test", "valid"),
    [
        ("assert clamp_levels([9], 0, 5) == [5]", True),
        ("```python\nassert clamp_levels([9], 0, 5) == [5]\nassert clamp_levels([], 0, 5) == []\n```", True),
        ("assert clamp_levels([9], 0, 5) == [5]\nassert clamp_levels([], 0, 5) == [0]", False),
        ("assert clamp_levels([9], 0, 5) ==", False),
        ("assert [5] == [5]", False),
    ],
)
def test_judge_of_tests(judge, test, valid):
    assert judge.test_is_valid(test, "clamp_levels") is valid


def test_every_line_has_the_documented_fields(records):
    keys = {"prompt_id", "prompt", "entry_point", "codes", "tests", "source", "licence"}
    for record in records:
        assert set(record) == keys
        assert record["licence"] == "Apache-2.0"
        assert record["entry_point"] in record["prompt"]
        assert 10 <= len(record["codes"]) <= 14
        assert 10 <= len(record["tests"]) <= 14
    assert len({record["prompt_id"] for record in records}) == len(records) == 22


def test_mixture_shows_every_rule_of_a_build(judge, records, truth):
    codes = [right for answer in truth.values() for right in answer["codes"]]
    tests = [valid for answer in truth.values() for valid in answer["tests"]]
    assert 0.35 <= sum(codes) / len(codes) <= 0.65
    assert 0.60 <= sum(tests) / len(tests) <= 0.85
    assert sum(all(answer["codes"]) for answer in truth.values()) == 1
    assert sum(sum(answer["tests"]) < len(answer["tests"]) / 2 for answer in truth.values()) == 2
    programs = [judge.program(r["prompt"], code, r["entry_point"]) for r in records for code in r["codes"]]
    assert sum(not parses(source) for source in programs) == 2
    assert sum("```" in code for r in records for code in r["codes"]) == 2
    assert sum(len(r["codes"]) > len(set(r["codes"])) for r in records) >= 3
    assert sum(r["prompt"].startswith("def ") for r in records) >= 10


def test_readme_states_the_counts(records, truth):
    counts = {
        "prompts": len(records),
        "codes": sum(len(record["codes"]) for record in records),
        "tests": sum(len(record["tests"]) for record in records),
        "right codes": sum(sum(answer["codes"]) for answer in truth.values()),
        "valid tests": sum(sum(answer["tests"]) for answer in truth.values()),
    }
    stated = re.findall(r"^\| ([a-z ]+?) +\| +(\d+) ", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert {name: int(number) for name, number in stated} == counts
