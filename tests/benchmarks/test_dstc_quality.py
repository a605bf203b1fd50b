import argparse

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks import dstc_quality, label_matrix
from benchmarks.dstc_quality import Checked, Draw, Variant, facts, grid, measure, picked
from builders.chain.evidence import MatrixStack
from builders.dstc.pairs import AnswerPairRule
from codepref.records import Candidate, Test, to_table

CODES = ("def f(x):\n    return x\n", "def f(x):  # again\n    return x\n", "def f(x):\n    return 1\n")


def options(**more):
    return argparse.Namespace(**{"truth": "passed", "codes": 3, "tests": 3, "first": 5, "draws": 6, "seed": 0, **more})


def task(task_id="t"):
    verdicts = (("passed", "passed", "failed"), ("passed", "passed", "failed"), ("passed", "failed", "failed"))
    return label_matrix.Task(
        task_id, "f", CODES, (0, 1, 2, -1), (True, True, False, False), (True, False, False, False),
        ("assert f(1) == 1", "assert f(2) == 2", "assert f(0) is None"), (0, 0, 0), verdicts, (("1", "2", ""),) * 3,
    )  # fmt: skip


KNOWN = {"t": Checked("t", (True, True, False), (False, False, True))}


def draw(passed, right, valid, mixed=True):
    codes, tests = np.array(passed).shape
    return Draw(
        0,
        MatrixStack(np.array([passed], bool), np.zeros((1, codes, tests), np.int64)),
        tuple(Candidate(f"c{n}", f"code {n}", n, None, 3) for n in range(codes)),
        tuple(Test(f"t{n}", f"test {n}", n, None) for n in range(tests)),
        np.array(right, bool),
        np.array(valid, bool),
        mixed,
    )


def test_draws_leave_out_what_a_build_leaves_out():
    cleaned = dstc_quality.draws([task()], KNOWN, options(), raw=False)
    whole = dstc_quality.draws([task()], KNOWN, options(), raw=True)
    assert len(cleaned) == len(whole) == 6
    for small, all_of_it in zip(cleaned, whole, strict=True):
        assert small.evidence.passed.shape == (1, 2, 2)
        assert all_of_it.evidence.passed.shape == (1, 3, 3)
        assert small.mixed
        assert all_of_it.mixed
        assert {test.test for test in small.tests} == {"assert f(1) == 1", "assert f(2) == 2"}
        assert small.valid.all()
        assert sorted(small.right) == [False, True]


def test_truth_is_that_of_the_sample():
    cleaned = dstc_quality.draws([task()], KNOWN, options(truth="plus", draws=30), raw=False)
    right = {tuple(sorted(item.right)) for item in cleaned}
    assert right == {(False, True), (False, False)}  # of two samples with one tree the first drawn counts


def test_figures_by_hand():
    variant = Variant("minimax", AnswerPairRule(""))
    good = draw([[1, 1], [1, 0]], [True, False], [True, True])
    wrong = draw([[1, 1], [1, 0]], [False, True], [True, False])
    none = draw([[0, 0], [0, 0]], [True, False], [True, True])
    pure = draw([[1, 1], [1, 0]], [True, True], [True, True], mixed=False)
    rows = facts(variant, [good, wrong, none, pure])
    figures = dict(zip(dstc_quality.COLUMNS, measure(rows, np.ones(4)), strict=True))
    assert figures == {
        "yield": 3 / 4,
        "chosen code": 1 / 2,
        "rejected code": 1 / 2,
        "pair": 1 / 2,
        "chosen test": 1 / 2,
        "rejected test": 1 / 2,
        "same": 0,
    }
    assert measure(rows, np.array([1.0, 0, 0, 0]))[1] == 1.0


def test_intervals_of_the_gain_are_paired():
    rng = np.random.default_rng(0)
    rows = np.ones((400, 8))
    rows[:, 2] = rng.random(400) < 0.5
    spans, gain = dstc_quality.intervals(rows, rows, np.arange(400) % 20, 20)
    assert gain.tolist() == [0.0, 0.0]
    assert spans[0][1] < rows[:, 2].mean() < spans[1][1]


def test_every_variant_picks_what_its_rule_says():
    item = draw([[1, 1, 1], [1, 0, 0], [1, 0, 0]], [False, True, True], [True, False, False])
    for variant in grid():
        picks = picked(variant, item)
        if picks is not None:
            assert item.evidence.passed[0, picks.chosen_code, picks.chosen_test]
            assert not item.evidence.passed[0, picks.rejected_code, picks.rejected_test]
    by_name = {variant.name: picked(variant, item) for variant in grid()}
    assert by_name["minimax"].chosen_test == 1
    assert by_name["minimax, 2 must pass"].chosen_test == 0
    twice = draw([[1, 0], [0, 1]], [True, True], [True, True])
    kept = [v for v in grid() if (picks := picked(v, twice)) is not None and picks.same_code]
    assert all(variant.rule.same_code == "keep" for variant in kept)


@pytest.mark.realdata
def test_the_grid_on_six_real_tasks(shared, tmp_path):
    cache = tmp_path / "cache.parquet"
    generations = [item for item, _ in zip(label_matrix.agentcoder(shared), range(6), strict=False)]
    tasks = list(label_matrix.run(generations, 1))
    pq.write_table(to_table(tasks, label_matrix.Task), cache)
    known = dstc_quality.checked(tasks, tmp_path / "cache.tests.parquet", shared, 1)
    assert all(len(known[item.task_id].valid) == len(item.tests) for item in tasks)
    valid = [flag for item in known.values() for flag in item.valid]
    assert 0.5 < sum(valid) / len(valid) < 1.0
    rows = list(dstc_quality.report(tasks, known, options(codes=5, tests=8, first=99, draws=3)))
    assert [row["selection"] for row in rows] == [variant.name for variant in grid()]
    baseline = next(row for row in rows if row["selection"] == "minimax")
    assert (baseline["gain"], baseline["intervals"]["gain"]) == (0.0, [0.0, 0.0])
    assert all(dstc_quality.line(row).count("|") == len(dstc_quality.COLUMNS) + 3 for row in rows)
