import argparse
import dataclasses
import itertools
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks import label_matrix, label_quality
from benchmarks.label_quality import Pairs, extremes, is_held, measure
from builders.chain.confidence import FEATURES
from codepref.errors import CodeprefError
from codepref.records import to_table


def pairs(right, mixed=None, task=None):
    right = np.array(right, dtype=bool)
    mixed = np.ones(len(right), dtype=bool) if mixed is None else np.array(mixed)
    task = np.zeros(len(right), dtype=int) if task is None else np.array(task)
    none = np.zeros(len(right), dtype=int)
    return Pairs(np.zeros((len(right), len(FEATURES))), right, np.ones_like(right), mixed, task, none, len(right))


def figures(right, confidence, **options):
    return measure(pairs(right, **options), np.array(confidence), np.ones(len(right)))


def test_figures_by_hand():
    found = figures([1, 1, 0, 1, 0, 0, 0, 0], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])
    assert found["pair"] == found["chosen"] == found["all"] == 3 / 8
    assert (found["p75"], found["p50"], found["p25"]) == (3 / 6, 3 / 4, 2 / 2)
    assert found["auc"] == pytest.approx(14 / 15)  # 15 pairs of a right and a wrong one, one of them upside down
    assert found["ece"] == pytest.approx((0.1 + 0.2 + 0.7 + 0.4 + 0.5 + 0.4 + 0.3 + 0.2) / 8)


def test_only_mixed_draws_count_for_pairs():
    found = figures([1, 0, 0], [0.9, 0.5, 0.1], mixed=[True, True, False])
    assert found["pair"] == 1 / 2
    assert found["all"] == pytest.approx(1 / 3)


def test_equal_confidence_says_nothing():
    found = figures([1] * 400 + [0] * 400, [0.5] * 800)
    assert found["p50"] == pytest.approx(0.5, abs=0.06)
    assert found["auc"] == pytest.approx(0.5, abs=0.06)


def test_intervals_hold_the_figure_and_grow_with_fewer_tasks():
    rng = np.random.default_rng(0)
    right, confidence, task = rng.random(400) < 0.6, rng.random(400), np.arange(400) % 40
    found = pairs(right, task=task)
    low, high = label_quality.intervals(found, confidence, 40, rounds=100)["pair"]
    assert low < right.mean() < high
    few = pairs(right, task=task % 4)
    assert np.ptp(label_quality.intervals(few, confidence, 4, rounds=100)["auc"]) > 0


def test_every_run_finds_its_own_share_of_right_pairs():
    rng = np.random.default_rng(0)
    found = pairs(np.ones(600))
    features = np.zeros((600, len(FEATURES)))
    features[:300, 0], features[300:, 0] = 0.0, -1.0  # large groups in one run, small ones in the other
    run = np.repeat([0, 1], 300)
    shuffled = rng.permutation(600)
    apart = dataclasses.replace(found, features=features[shuffled], run=run[shuffled]).confidence()
    together = dataclasses.replace(found, features=features[shuffled]).confidence()
    first = run[shuffled] == 0
    assert apart[first].mean() > together[first].mean() > together[~first].mean() > apart[~first].mean()


@pytest.mark.parametrize(("ties", "expected"), [("lot", (0, 3)), ("shortest", (1, 3)), ("median", (2, 4))])
def test_ties(ties, expected):
    scores, nodes = np.array([[1.0, 1.0, 1.0, 0.0, 0.0]]), np.array([[30, 10, 20, 11, 25]])
    chosen, rejected = extremes(scores, nodes, ties)
    assert (chosen[0], rejected[0]) == expected


def test_the_halves_are_fixed():
    held = [number for number in range(0, 164, 2) if is_held(f"HumanEval/{number}")]
    assert len(held) == 42
    assert held[:4] == [4, 10, 12, 16]


def test_a_missing_file_names_the_remedy(tmp_path):
    with pytest.raises(CodeprefError, match="label_matrix"):
        label_matrix.load(tmp_path / "none.parquet")


@pytest.mark.realdata
def test_twelve_real_tasks(shared, tmp_path, root):
    cache = tmp_path / "cache.parquet"
    chosen = itertools.islice(label_matrix.agentcoder(shared), 12)
    pq.write_table(to_table(label_matrix.run(chosen, 2), label_matrix.Task), cache)
    words = ["-m", "benchmarks.label_quality", cache, "--tasks", "all", "--draws", "2", "--codes", "5"]
    run = subprocess.run([sys.executable, *map(str, words)], cwd=root, capture_output=True, text=True, check=True)
    result = json.loads(run.stdout.splitlines()[-1])
    rows = {row["ranking"]: row for row in result["rows"]}
    assert set(rows) == set(label_quality.ranking.NAMES)
    assert rows["random"]["yield"] == 1.0
    assert rows["combined"]["chosen"] >= rows["random"]["chosen"]
    assert all(0 <= row["all"] <= 1 for row in rows.values() if row["yield"])


def test_draws_are_repeatable():
    task = label_matrix.Task(
        "t", "f", ("a", "b", "c"), (0, 1, 2, 2, -1), (True, False, True, True, True), (True,) * 5,
        ("u", "v", "w"), (0, 1, 5), (("passed", "failed", "failed"),) * 3, (("1", "2", "9"), ("1", "", "9"), ("2", "2", "9")),
    )  # fmt: skip
    options = argparse.Namespace(truth="passed", codes=3, tests=2, first=5, draws=4, seed=0)
    (one,), (two,) = label_quality.draw([task], options), label_quality.draw([task], options)
    assert (one.evidence.outputs == two.evidence.outputs).all()
    assert one.right.shape == (4, 3)
    assert one.evidence.outputs.shape == (4, 3, 2)
    assert set(np.unique(one.evidence.outputs)) == {-1, 1, 2}  # the sixth assert of an answer is not drawn
    assert "4" not in {name for ids in one.ids for name in ids}  # the code that does not compile


def test_the_earliest_place_of_a_test():
    answers = [["a", "b", "c"], ["c", "a"], []]
    assert label_matrix.earliest(answers) == {"a": 0, "b": 1, "c": 0}
    assert label_matrix.earliest(answers, most=2) == {"a": 0, "b": 1}


def test_examples_decide_before_a_ranking_and_bound_it():
    """Three codes: the two that all rankings prefer fail the example, which the third, a right one, passes."""
    task = label_matrix.Task(
        "t", "f", ("a", "b", "c"), (0, 1, 2), (False, False, True), (False,) * 3, ("u", "v"), (0, 1),
        (("passed", "passed"),) * 2 + (("failed", "failed"),), (("1", "2"),) * 2 + (("3", "4"),),
    )  # fmt: skip
    options = argparse.Namespace(truth="passed", codes=3, tests=2, first=5, draws=3, seed=0)
    told = replace(task, examples=(("failed", "failed"), ("failed", "failed"), ("passed", "failed")))
    for name, right in (("combined", 1.0), ("truth", 1.0)):
        assert label_quality.pairs(name, label_quality.draw([told], options), 0, "lot").right.mean() == right
    plain = label_quality.draw([task], options)
    assert label_quality.pairs("combined", plain, 0, "lot").right.mean() == 0.0
    wrong = replace(task, examples=(("passed",), ("failed",), ("failed",)))
    assert label_quality.pairs("truth", label_quality.draw([wrong], options), 0, "lot").right.mean() == 0.0
