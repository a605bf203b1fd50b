"""Programs out of answers of every kind, run."""

import json
from pathlib import Path

import pytest
from extract_answers import CASES

from builders.chain.matrix import Selection, select_candidates
from codepref import cli, extract
from codepref.records import Candidates, Sample, Samples, from_table, to_table
from codepref.sandbox import Job, Sandbox

TESTS = ("assert add(0, 1) == 1", "assert add(2, 3) == 5", "assert add(-7, 7) == 0")
SHARED = Path(__file__).resolve().parents[3] / "shared" / "cases" / "answers.jsonl"
shared = pytest.mark.skipif(not SHARED.exists(), reason="the shared cases are not beside this checkout")


def passing(programs: dict[str, str]) -> set[str]:
    """Which programs pass all tests."""
    with Sandbox() as sandbox:
        matrices = sandbox.run_many([Job(name, (text,), TESTS, "add") for name, text in programs.items()])
        return {m.job_id for m in matrices if all(cell.verdict == "passed" for cell in m.cells[0])}


@pytest.fixture(scope="module")
def right():
    """Names of the cases from which a right program was taken."""
    with Sandbox() as sandbox:
        answers = [extract.Answer(case.answer, case.prompt, "add") for case in CASES]
        found = extract.extracted(answers, lambda: sandbox)
    pairs = zip(CASES, found, strict=True)
    return passing({case.name: item.program for case, item in pairs if isinstance(item, extract.Extracted)})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_program_in_an_answer(case, right):
    assert (case.name in right) == (case.want == "right")


def test_names_of_cases_are_distinct():
    assert len({case.name for case in CASES}) == len(CASES)


def shared_cases():
    return [json.loads(line) for line in SHARED.read_text(encoding="utf-8").split("\n") if line]


def unexpected(rows, right: set[str]):
    return [
        row["name"] for row in rows if row["want"] != "either" and (row["name"] in right) != (row["want"] == "right")
    ]


@shared
def test_shared_answers_in_a_build():
    rows = shared_cases()
    wrong = Sample("def add(x, y):\n    return x * y - 1\n")
    samples = [
        Samples(
            row["name"], row["prompt"], row["entry_point"], (Sample(row["answer"]), wrong, wrong), (Sample(TESTS[0]),)
        )
        for row in rows
    ]
    shard = select_candidates(Selection(), to_table(samples, Samples))
    taken = {row.prompt_id: row.codes[0] for row in from_table(shard.table, Candidates)}
    programs = {name: code.code for name, code in taken.items() if code.sample == 0}
    assert all(code.rule for code in taken.values())
    assert unexpected(rows, passing(programs)) == []


@shared
def test_shared_answers_in_an_evaluation(tmp_path):
    rows = shared_cases()
    check = "def check(candidate):\n" + "".join(f"    {test.replace('add(', 'candidate(')}\n" for test in TESTS)
    problems = [
        {
            "task_id": f"HumanEval/{number}",
            "prompt": row["prompt"],
            "entry_point": row["entry_point"],
            "canonical_solution": "    return x + y\n",
            "test": check,
        }
        for number, row in enumerate(rows)
    ]
    answers = [{"task_id": f"HumanEval/{number}", "solution": row["answer"]} for number, row in enumerate(rows)]
    for name, table in (("problems", problems), ("samples", answers)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table))
    files = ["--data", str(tmp_path / "problems.jsonl"), "--samples", str(tmp_path / "samples.jsonl")]
    assert cli.main(["evaluate", "humaneval", *files, "--clean", "--quiet", "--out", str(tmp_path / "out")]) == 0
    lines = (tmp_path / "out" / "humaneval" / "verdicts.jsonl").read_text().splitlines()
    verdicts = {line["task_id"]: line for line in map(json.loads, lines)}
    passed = {row["name"] for n, row in enumerate(rows) if verdicts[f"HumanEval/{n}"]["verdict"] == "passed"}
    assert unexpected(rows, passed) == []
    assert all(line["extraction"] for line in verdicts.values())
    results = json.loads((tmp_path / "out" / "humaneval" / "results.json").read_text())
    assert sum(results["extraction"].values()) == len(rows)
