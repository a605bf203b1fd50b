"""What is counted in an experiment: pairs against hidden tests, and what the page says of many comparisons."""

import dataclasses
from pathlib import Path

import pytest

from codepref.commands.experiment.measured import judged_pairs, read_truth
from codepref.commands.experiment.page import ExperimentPage, Gain, Graded, Score
from codepref.errors import CodeprefError
from codepref.report.html import ShownShare

RIGHT, WRONG = "def f(x):\n    return x + 1\n", "def f(x):\n    return x - 1\n"
HIDDEN = {"p": ("assert f(1) == 2", "assert f(0) == 1")}


def row(chosen: str, rejected: str) -> dict[str, object]:
    return {"prompt_id": "p", "entry_point": "f", "chosen": chosen, "rejected": rejected}


def test_both_sides_of_a_pair_are_judged_by_all_hidden_tests() -> None:
    half = "def f(x):\n    return 2\n"  # passes one of the two
    rows = [row(RIGHT, WRONG), row(WRONG, RIGHT), row(RIGHT, RIGHT), row(half, WRONG)]
    assert judged_pairs(rows, HIDDEN) == [(True, False), (False, True), (True, True), (False, False)]


def test_of_an_answer_with_a_test_the_code_is_judged() -> None:
    answer = row("code and test", "code and another") | {"codes": [WRONG, RIGHT]}
    assert judged_pairs([answer | {"chosen_code_index": 1, "rejected_code_index": 0}], HIDDEN) == [(True, False)]
    assert judged_pairs([answer | {"chosen_code_index": 0, "rejected_code_index": 0}], HIDDEN) == [(False, False)]


def test_programs_that_read_input_are_judged_by_inputs_and_outputs(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    path.write_text('{"prompt_id": "p", "tests": [{"input": "1\\n", "output": "2\\n"}]}\n', encoding="utf-8")
    right, wrong = "print(int(input()) + 1)", "print(int(input()) - 1)"
    rows = [{"prompt_id": "p", "chosen": right, "rejected": wrong}]
    assert judged_pairs(rows, read_truth(path)) == [(True, False)]


BAD = ["no json", '{"prompt_id": "p"}', '{"prompt_id": "p", "tests": []}', '{"prompt_id": "p", "tests": "assert f()"}']
BAD += ['{"prompt_id": "p", "tests": [1]}', '{"prompt_id": "a", "tests": ["assert f()"]}']


@pytest.mark.parametrize("line", BAD)
def test_a_line_of_hidden_tests_that_is_none_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "truth.jsonl"
    path.write_text('{"prompt_id": "a", "tests": ["assert f()"]}\n' + line + "\n")
    with pytest.raises(CodeprefError, match=r"truth\.jsonl:2: "):
        read_truth(path)


def graded(*gains: tuple[float, float, float]) -> Graded:
    made = [
        Score(f"m{n}", ShownShare(0.5, 0.4, 0.6), Gain(ShownShare(*gain), 1, 0, 0.5)) for n, gain in enumerate(gains)
    ]
    return Graded("b", "greedy", 10, 1, 0.0, False, (Score("base", ShownShare(0.5, 0.4, 0.6), None), *made))


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ((), "This experiment has not been evaluated"),
        ((graded(),), "Measured before training; the run stopped before it was measured after"),
        ((graded((0.05, -0.01, 0.11)),), "No clear difference after training"),
        ((graded((0.05, 0.01, 0.09)),), "m0: +5.0 points on b"),
        ((graded((0.05, 0.01, 0.09), (0.02, -0.1, 0.1)),), "1 of 2 comparisons with the base differ clearly"),
    ],
)
def test_the_headline_does_not_pick_the_best_of_many(items: tuple[Graded, ...], said: str) -> None:
    empty = {field.name: () for field in dataclasses.fields(ExperimentPage)}
    assert ExperimentPage(**(empty | {"graded": items})).headline == said  # type: ignore[arg-type]
