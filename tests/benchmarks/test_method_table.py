"""What the method table and the table of signals say of numbers that are known."""

import json

import numpy as np
import pytest

from benchmarks import method_data, method_table, signal_labels


def test_every_row_is_compared_with_one_that_exists():
    names = [row.name for row in method_table.ROWS]
    assert len(set(names)) == len(names)
    assert {row.against for row in method_table.LISTENING} <= set(names)


def result(name, sampled, tests=(1.0, 1.0, 1.0, 1.0)):
    tasks = {"sampled": sampled, "greedy": [0.0] * 4, "tests": list(tests)}
    return {"name": name, "pairs": 9, "trained_on": 7, "right": [0.5, 0.4, 0.6], "tasks": tasks}


def test_a_difference_is_said_where_there_is_one():
    plain = result(method_table.PLAIN, [0.5, 0.5, 0.25, 0.75])
    better = result("weights", [0.75, 0.75, 0.5, 1.0])
    unclear = result("soft labels", [1.0, 0.0, 0.75, 0.25])
    rows = {row["name"]: row for row in (plain, better, unclear)}
    lines = method_table._listening({"seed0": rows, "seed1": {}}).splitlines()
    assert lines[2] == (
        "| soft labels | DPO+NLL, self_validation | 1 | 7 | no difference: +0.000 [-0.500, +0.500] "
        "| no difference: +0.000 [+0.000, +0.000] | no difference: +0.000 [+0.000, +0.000] |"
    )
    assert "| +0.250 [+0.250, +0.250] |" in lines[3]
    assert method_table._listening({"seed0": {}}) == ""


def test_pairs_of_several_datasets_in_one_file(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        row = {"prompt": name, "chosen": "c", "rejected": "r", "more": 1}
        (tmp_path / name / "rows.jsonl").write_text(json.dumps(row) + "\n")
    method_data.together([(tmp_path / "a", "default"), (tmp_path / "b", "default")], tmp_path / "both.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "both.jsonl").read_text().splitlines()]
    assert rows == [{"prompt": name, "chosen": "c", "rejected": "r"} for name in "ab"]


def test_a_weighted_share():
    prompts, truth = np.array([0, 0, 1]), np.array([True, False, True])
    assert signal_labels.share(prompts, truth, np.array([1.0, 3.0, 0.0]))[0] == 0.25
    mean, low, high = signal_labels.share(prompts, truth, np.ones(3))
    assert (mean, low, high) == pytest.approx((2 / 3, 0.5, 1.0))
    assert signal_labels.share(prompts, truth, np.zeros(3)) == (0.0, 0.0, 0.0)
