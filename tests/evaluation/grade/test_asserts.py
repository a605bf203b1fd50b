import json

import pytest

from codepref.errors import CodeprefError
from codepref.files import read_rows
from evaluation import humaneval, mbpp
from evaluation.benchmark import Settings
from evaluation.catalogue import benchmark
from evaluation.grade import asserts
from evaluation.samples import read_samples

SETTINGS = Settings(cpu_s=1.0)
EQUAL = "class E:\n    def __eq__(s, o): return True\n    def __ne__(s, o): return False\n"


def lines(path, items):
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return path


def test_a_check_becomes_its_asserts():
    test = "METADATA = {}\n\ndef check(candidate):\n    'doc'\n    assert candidate(1) == 2, 'x'\n    assert True\n"
    assert humaneval.asserts_of(test, "f") == ["assert f(1) == 2, 'x'"]


def test_a_check_with_a_loop_stays_whole():
    test = "def check(candidate):\n    for i in range(3):\n        assert candidate(i) == i\n"
    assert humaneval.asserts_of(test, "f") == [f"{test}\n\ncheck(f)"]
    with pytest.raises(CodeprefError, match="defines no check"):
        humaneval.asserts_of("assert f(1)", "f")


def test_humaneval_programs_and_cheats(tmp_path):
    row = {
        "task_id": "HumanEval/900", "prompt": "def f(a):\n", "canonical_solution": "    return a + 1\n", "entry_point": "f",
        "test": "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(5) == 6\n",
    }  # fmt: skip
    (problem,) = humaneval.load(lines(tmp_path / "data.jsonl", [row]))
    programs = [
        "def f(a):\n    return a + 1\n",
        EQUAL + "def f(a):\n    return E()\n",
        "def f(a):\n    raise SystemExit(0)\n",
        "import os\ndef f(a):\n    os._exit(0)\n",
        "def f(a):\n    return 2\n",
    ]
    (found,) = asserts.grade_asserts([(problem, programs)], SETTINGS)
    assert [(g.verdict, g.mode) for g in found] == [
        ("passed", "plain"), ("failed", "plain"), ("failed", "plain"), ("crashed", "plain"), ("failed", "plain")
    ]  # fmt: skip


def test_mbpp_setup_comes_after_the_code_and_imports_before(tmp_path):
    late = {
        "task_id": 367, "text": "t", "code": "class Node:\n    pass\ndef depth(n):\n    return 1\n",
        "test_setup_code": "root = Node()", "test_list": ["assert depth(root) == 1"], "challenge_test_list": [],
    }  # fmt: skip
    early = {
        "task_id": 1, "prompt": "t", "code": "def up(x):\n    return math.ceil(x)\n", "source_file": "",
        "test_imports": ["import math"], "test_list": ["assert math.isclose(up(1.5), 2)"],
    }  # fmt: skip
    problems = mbpp.load(lines(tmp_path / "data.jsonl", [late, early]))
    assert [problem.entry_point for problem in problems] == ["depth", "up"]
    found = list(asserts.grade_asserts([(p, [p.reference]) for p in problems], SETTINGS))
    assert [graded[0].verdict for graded in found] == ["passed", "passed"]


def test_a_missing_column_is_named(tmp_path):
    with pytest.raises(CodeprefError, match=r"data.jsonl, row 1: no column 'canonical_solution'"):
        humaneval.load(lines(tmp_path / "data.jsonl", [{"task_id": "x", "prompt": "y"}]))


@pytest.mark.realdata
def test_upstreams_own_example_gives_half(shared):
    folder = shared / "benchmarks"
    human_eval = benchmark("humaneval")
    problems = human_eval.load(folder / "HumanEval-example_problem.jsonl")
    samples = read_samples(folder / "HumanEval-example_samples.jsonl", human_eval, problems)
    (found,) = human_eval.grade([(problems[0], [sample.program for sample in samples])], SETTINGS)
    assert [graded.verdict == "passed" for graded in found].count(True) == 3 == len(found) / 2


@pytest.mark.realdata
def test_references_of_some_problems_pass(shared):
    for name, file in (
        ("humaneval", "HumanEval.jsonl.gz"),
        ("mbpp", "mbpp.jsonl.gz"),
        ("mbpp", "sanitized-mbpp.json.gz"),
    ):
        kind = benchmark(name)
        problems = kind.load(shared / "benchmarks" / file)
        chosen = [p for p in problems[::12] if p.task_id] + [
            p for p in problems if p.task_id in ("Mbpp/367", "Mbpp/927")
        ]
        found = list(kind.grade([(p, [kind.reference(p)]) for p in chosen], SETTINGS))
        assert [p.task_id for p, g in zip(chosen, found, strict=True) if g[0].verdict != "passed"] == []
    assert len([row for _, row in read_rows(shared / "benchmarks" / "mbpp.jsonl.gz")]) == 974
