"""The tiny benchmark: its own references pass, what its model gets wrong fails, a file gives the same problems."""

import json

import pytest
from inprocess import run

from codepref.commands.tiny import prompt_row
from codepref.errors import CodeprefError
from codepref.generate.tiny.steps import STEPS, USUAL
from codepref.generate.tiny.tasks import read_task, tasks
from evaluation import tiny
from evaluation.benchmark import Settings
from evaluation.catalogue import benchmark


def test_problems_are_held_out_and_split_by_planted_misconceptions():
    problems = tiny.load(None)
    assert len({problem.task_id for problem in problems}) == 240
    assert {group for problem in problems for group in problem.groups} >= set(tiny.GROUPS[:3])
    for problem in problems[:20]:
        task = read_task(problem.prompt)
        assert task.split == "heldout"
        assert tiny.GROUPS.index(*problem.groups) == sum(STEPS[name].error == USUAL for name, _ in task.steps)


def test_a_file_gives_the_same_problems(tmp_path):
    path = tmp_path / "heldout.jsonl"
    path.write_text("".join(json.dumps(prompt_row(task, truth=True)) + "\n" for task in tasks("heldout", 5, 0)))
    assert tiny.load(path) == tiny.load(None)[:5]
    path.write_text(json.dumps(prompt_row(tasks("heldout", 1, 0)[0], truth=False)) + "\n")
    with pytest.raises(CodeprefError, match="row 1: no column 'reference'"):
        tiny.load(path)


def test_right_and_wrong_programs():
    (problem, *_) = tiny.load(None)
    programs = [problem.reference, "def solve(nums):\n    return None\n", "def solve(nums) return nums"]
    (graded,) = benchmark("tiny").grade([(problem, programs)], Settings())
    assert [found.verdict for found in graded] == ["passed", "failed", "failed"]


def test_the_command_asks_the_shipped_model(tmp_path, root):
    checkpoint = root / "codepref" / "generate" / "tiny" / "checkpoint"
    words = ("evaluate", "tiny", "--backend", "tiny", "--model", checkpoint, "--limit", "12", "--quiet")
    assert run(*words, "--out", tmp_path / "greedy", "--cache", tmp_path / "cache").returncode == 0
    found = json.loads((tmp_path / "greedy" / "tiny" / "results.json").read_text())
    assert found["references"]["passed"] == found["samples"] == 12
    assert 0.3 < found["score"]["pass@1"]["value"] < 1
    assert found["fingerprint"]["chat_template"] is None
