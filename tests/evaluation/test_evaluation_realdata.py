"""Official verdicts and formats on data that is not part of the project; benchmarks/verdicts.py compares all of it."""

import re

import pytest

from codepref.files import read_rows
from evaluation import bigcodebench, humaneval, mbpp
from evaluation.benchmark import Settings
from evaluation.grade import inputs

pytestmark = pytest.mark.realdata
HEAVY = {"HumanEval/36", "HumanEval/94", "HumanEval/130", "HumanEval/32"}


def test_official_verdicts_are_the_same(shared, tmp_path):
    table = [row for _, row in read_rows(shared / "verdicts_evalplus" / "humaneval_llama-3.1-70b-instruct.jsonl.gz")]
    table = [row for row in table if row["task_id"] not in HEAVY][::3]
    full = {p.task_id: p for p in humaneval.load_plus(shared / "benchmarks" / "HumanEvalPlus-v0.1.10.jsonl.gz")}
    work = [(full[row["task_id"]], [row["solution"]]) for row in table]
    for row, (graded,) in zip(table, inputs.grade_inputs(work, Settings(cache=tmp_path, workers=2)), strict=True):
        assert (graded.base_verdict == "passed") == (row["base_status"] == "pass"), row["task_id"]
        assert (graded.plus_verdict == "passed") == (row["plus_status"] == "pass"), row["task_id"]


def kinds(value, depth=0):
    """Types by depth. The Hub's inputs were written after the references ran, and some references sort in place."""
    inner = value.items() if isinstance(value, dict) else value if isinstance(value, (list, tuple, set)) else ()
    return {(depth, type(value))}.union(*(kinds(item, depth + 1) for item in inner))


def test_both_formats_of_mbpp_plus_hold_calls_of_the_same_kinds(shared):
    release = mbpp.load_plus(shared / "benchmarks" / "MbppPlus-v0.2.0.jsonl.gz")
    hub = {row["task_id"]: row for _, row in read_rows(shared / "benchmarks" / "mbppplus-v0.2.0-test.parquet")}
    assert len(release) == len(hub) == 378
    restored = {number for tasks, *_ in mbpp._RESTORE for number in tasks}
    for problem in release:
        number = int(problem.task_id.removeprefix("Mbpp/"))
        if number not in restored or len(hub[number]["test"]) > 60_000:
            continue
        other = mbpp._plus_problem(hub[number], "row")
        assert other.entry_point == problem.entry_point
        ours, theirs = ([list(c) for c in p.row["base_input"] + p.row["plus_input"]] for p in (problem, other))
        assert kinds(ours) == kinds(theirs), number
        assert 0 < len(theirs) <= len(ours), number  # the Hub's file leaves some inputs out


def test_excused_references_of_bigcodebench_ask_for_what_they_are_excused_for(shared):
    table = {p.task_id: p for p in bigcodebench.load(shared / "benchmarks" / "BigCodeBench-v0.1.4.jsonl.gz")}
    for what, asks, numbers in bigcodebench.NEEDED:
        for number in numbers:
            problem = table[f"BigCodeBench/{number}"]
            code = re.sub(r'(?s)""".*?"""', "", problem.prompt) + problem.reference + problem.row["test"]
            assert re.search(asks, code), (number, what)
