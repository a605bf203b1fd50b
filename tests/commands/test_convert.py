"""`codepref convert`, and that what it writes can be built on."""

import json
from pathlib import Path
from typing import Any

import pytest

from codepref import cli
from codepref.generate.recorded import read_recordings

pytestmark = pytest.mark.timeout(120)
RIGHT, WRONG = "print(sum(map(int, input().split())))\n", "print(input())\n"
ROWS: list[dict[str, Any]] = [
    {
        "name": "sum",
        "description": "Read numbers on one line. Print their sum.",
        "public_tests": {"input": ["1 2\n"], "output": ["3\n"]},
        "generated_tests": {"input": ["4 5\n", "0 0\n"], "output": ["9\n", "0\n"]},
        "solutions": {"language": [3, 3], "solution": [RIGHT, RIGHT]},
        "incorrect_solutions": {"language": [3], "solution": [WRONG]},
    },
    {"name": "none", "description": "No tests.", "public_tests": {"input": [], "output": []}},
]


def convert(tmp_path: Path, rows: list[dict[str, Any]], *options: str) -> tuple[int, list[dict[str, Any]]]:
    source, target = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    code = cli.main(["convert", "code_contests", "--input", str(source), "--output", str(target), *options])
    lines = target.read_text().splitlines() if target.exists() else []
    return code, [json.loads(line) for line in lines]


def test_prompts_with_tests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, (row,) = convert(tmp_path, ROWS, "--tests", "2", "--licence", "CC-BY-4.0")
    assert code == 0
    assert row == {
        "prompt_id": "sum",
        "prompt": "Read numbers on one line. Print their sum.",
        "entry_point": None,
        "tests": [{"input": "1 2\n", "output": "3\n"}, {"input": "4 5\n", "output": "9\n"}],
        "source": "CodeContests",
        "licence": "CC-BY-4.0",
    }
    said = capsys.readouterr().err
    assert "left out 1: no tests (first: " in said
    assert "rows.jsonl:2)" in said
    assert "out.jsonl: 1 tasks" in said


def test_recordings_are_built_on(tmp_path: Path) -> None:
    code, _ = convert(tmp_path, ROWS[:1], "--codes", "3")
    assert code == 0
    found, bad = read_recordings(tmp_path / "out.jsonl")
    assert (len(found), bad) == (1, [])
    words = ["build", "codedpo", "--quiet", "--workers", "1", "--out", str(tmp_path / "run")]
    assert cli.main([*words, "--set", f"generations={tmp_path / 'out.jsonl'}"]) == 0


def test_equal_names_get_ids_of_their_own(tmp_path: Path) -> None:
    _, rows = convert(tmp_path, [ROWS[0], ROWS[0]])
    assert [row["prompt_id"] for row in rows] == ["sum", "sum-2"]


@pytest.mark.parametrize(
    ("rows", "options", "complaint"),
    [
        (ROWS[1:], (), "no row can be used as code_contests"),
        (ROWS, ("--tolerance", "-1"), "--tolerance must be from 0"),
        ([{**ROWS[0], "solutions": {}, "incorrect_solutions": {}}], ("--codes", "1"), "no program in Python 3"),
    ],
)
def test_what_can_not_be_done_leaves_the_output_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: Any, options: tuple[str, ...], complaint: str
) -> None:
    (tmp_path / "out.jsonl").write_text('{"kept": 1}\n')
    code, lines = convert(tmp_path, rows, *options)
    assert (code, lines) == (2, [{"kept": 1}])
    assert complaint in capsys.readouterr().err
