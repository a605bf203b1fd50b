import json

import pytest

from codepref.errors import CodeprefError
from evaluation.benchmark import Problem
from evaluation.catalogue import benchmark
from evaluation.samples import GradedSample, read_samples, write_samples

HUMANEVAL = benchmark("humaneval_plus")
PROBLEMS = [Problem("HumanEval/0", "def f(a):\n", "", "f"), Problem("HumanEval/1", "def g(a):\n", "", "g")]


def file(path, *rows):
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def test_solutions_are_whole_and_completions_follow_the_prompt(tmp_path):
    path = file(
        tmp_path / "s.jsonl", {"task_id": "HumanEval/1", "completion": "    return a\n"},
        {"task_id": "HumanEval/0", "solution": "x = 1"}, {"task_id": "HumanEval/0", "solution": "y = 2"},
    )  # fmt: skip
    assert read_samples(path, HUMANEVAL, PROBLEMS) == [
        GradedSample("HumanEval/0", 0, "x = 1", "x = 1"),
        GradedSample("HumanEval/0", 1, "y = 2", "y = 2"),
        GradedSample("HumanEval/1", 0, "    return a\n", "def g(a):\n    return a\n"),
    ]


def test_raw_answers_are_cleaned_and_kept(tmp_path):
    raw = "Here:\n```python\ndef f(a):\n    return a\n\nprint(f(1))\n```"
    path = file(tmp_path / "s.jsonl", {"task_id": "HumanEval/0", "solution": raw})
    (sample,) = read_samples(path, HUMANEVAL, PROBLEMS, clean=True)
    assert (sample.raw, sample.program) == (raw, "def f(a):\n    return a\n")


def test_answers_to_data_science_problems(tmp_path):
    path = file(
        tmp_path / "s.jsonl",
        {"id": 7, "code": "x = 1\n</code>", "metadata": {"problem_id": 7}},
        {"id": 8, "code": ["y"]},
    )
    problems = [Problem("7", "", ""), Problem("8", "", "")]
    assert [s.program for s in read_samples(path, benchmark("ds1000"), problems)] == ["x = 1\n", "y"]


def test_bigcodebench_solutions_are_framed(tmp_path):
    path = file(tmp_path / "s.jsonl", {"task_id": "BigCodeBench/0", "solution": "def task_func():\n    return 1"})
    problem = Problem("BigCodeBench/0", "p", "", "task_func", row={"code_prompt": "import os\ndef task_func():\n"})
    (sample,) = read_samples(path, benchmark("bigcodebench"), [problem])
    assert sample.program == "import os\ndef task_func():\n\n    pass\ndef task_func():\n    return 1"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "s.jsonl: JSON over several lines, not JSON lines"),
        ("[]", "s.jsonl:1: the line is a list"),
        ({"task_id": "HumanEval/7", "solution": ""}, ":1: 'HumanEval/7' is no task of humaneval_plus"),
        ({"task_id": "HumanEval/0"}, ":1: neither 'solution' nor 'completion'"),
        ("", "s.jsonl: no samples"),
    ],
)
def test_bad_lines_are_named(tmp_path, row, message):
    with pytest.raises(CodeprefError, match=message):
        read_samples(file(tmp_path / "s.jsonl", row), HUMANEVAL, PROBLEMS)


def test_what_is_written_can_be_read_by_upstream_and_here(tmp_path):
    write_samples(tmp_path, "samples", [GradedSample("HumanEval/0", 0, "raw", "program")])
    assert (tmp_path / "samples.jsonl").read_text() == '{"task_id": "HumanEval/0", "solution": "program"}\n'
    assert (tmp_path / "samples.raw.jsonl").read_text() == '{"task_id": "HumanEval/0", "solution": "raw"}\n'
    assert read_samples(tmp_path / "samples.jsonl", HUMANEVAL, PROBLEMS)[0].program == "program"
