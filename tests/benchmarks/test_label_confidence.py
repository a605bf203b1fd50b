import argparse

import numpy as np
import pytest

from benchmarks import label_confidence, label_surface
from benchmarks.label_confidence import Source, learn, lines, on_a_new_model, on_new_tasks, row_of
from benchmarks.label_matrix import Task
from benchmarks.label_quality import Pairs
from builders.chain import confidence

WEIGHT = np.array([2.0, 1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0])


def made(seed, offset, count=3000, tasks=300):
    """Pairs whose truth follows a logistic model; `offset` moves how many are right, as another model's samples do."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, 8))
    right = rng.random(count) < 1 / (1 + np.exp(-(features @ WEIGHT + offset)))
    every = np.ones(count, dtype=bool)
    return Pairs(features, right, every, every, np.arange(count) % tasks, np.zeros(count, dtype=int), count)


def source(name, seed, offset):
    return Source(name, made(seed, offset), {"combined": made(seed + 100, offset)})


def test_the_weights_are_found_again():
    found = made(0, 0.5, count=20_000)
    model = learn([(found, np.ones(len(found.task), dtype=bool))])
    pulled = np.dot(model.weights[1:], WEIGHT) / np.dot(WEIGHT, WEIGHT)
    assert 0.5 < pulled < 1  # the ridge pulls all weights towards nothing
    np.testing.assert_allclose(model.weights[1:], pulled * WEIGHT, atol=0.03)
    assert model.weights[0] > 0
    assert model.share == pytest.approx(found.right.mean(), abs=1e-3)


def test_weights_of_examples_are_learnt_beside_the_others():
    known, more = np.array(confidence.WEIGHTS[:-2]), np.array([2.0, -1.5])
    rng = np.random.default_rng(0)
    features = np.column_stack([rng.normal(size=(20_000, 8)), rng.random((20_000, 2)) < 0.5])
    right = rng.random(len(features)) < 1 / (1 + np.exp(-(known[0] + features @ np.array([*known[1:], *more]))))
    every = np.ones(len(features), dtype=bool)
    found = Pairs(features, right, every, every, np.arange(len(features)) % 300, np.zeros(len(features), int), 1)
    model = learn([(found, every)], examples=True)
    assert model.weights[:-2] == confidence.WEIGHTS[:-2]
    assert model.share == confidence.LEARNT_SHARE
    assert 0.3 * more[0] < model.weights[-2] < more[0]  # the ridge pulls it towards nothing
    assert more[1] < model.weights[-1] < 0.3 * more[1]


def test_sources_count_the_same_whatever_their_size():
    small, large = made(1, 1.5, count=300), made(2, -1.5, count=6000)
    model = learn([(found, np.ones(len(found.task), dtype=bool)) for found in (small, large)])
    assert model.share == pytest.approx((small.right.mean() + large.right.mean()) / 2, abs=0.01)


@pytest.mark.parametrize("measure", [on_new_tasks, on_a_new_model])
def test_confidence_is_near_the_truth_of_sources_that_differ(measure):
    sources = [source("a", 1, -0.5), source("b", 2, 0.0), source("c", 3, 0.5)]
    for item, _, found, sure in measure(sources):
        row = row_of(found, sure)
        assert row["ece"] < 0.13, item.name
        assert row["expected"] == pytest.approx(row["right"], abs=0.13)
        assert row["auc"] > 0.8
        assert sum(count for count, _, _ in row["curve"]) == row["pairs"]


def test_the_table_has_a_line_for_every_row():
    found = made(5, 0.0, count=200)
    row = {"source": "a", "kind": "new model", "ranking": "combined", **row_of(found, np.full(200, 0.55))}
    shown = list(lines([row]))
    assert shown[2].startswith("| a | new model | combined | 200 |")
    curves = next(number for number, line in enumerate(shown) if "0.0-0.2" in line)
    assert shown[curves + 2].count("-> ") == 1  # all in one bin
    assert shown[-1].count("100 %: ") == 2  # both 0.4 and 0.5 keep all, higher ones nothing


TASK = Task(
    "t", "f", ("a = 1", "b = 1", "c = 1"), (0, 1, 2), (True, False, False), (True, False, False),
    ("u", "v"), (0, 1), (("passed", "passed"), ("failed", "passed"), ("failed", "failed")),
    (("1", "2"), ("3", "2"), ("4", "5")),
)  # fmt: skip
OPTIONS = argparse.Namespace(truth="passed", first=5, draws=2, seed=0, ties="lot", sizes="2,3", rankings="pass_count")


def test_the_surface_counts_right_pairs_of_all_draws():
    rows = list(label_surface.surface([TASK], OPTIONS))
    assert [(row["codes"], row["tests"]) for row in rows] == [(2, 2), (2, 3), (3, 2), (3, 3)]
    whole = rows[-1]
    assert (whole["draws"], whole["mixed"], whole["per_draw"], whole["pair"]) == (2, 2, 1.0, 1.0)
    shown = list(label_surface.lines(rows))
    assert shown[-1] == "| 3 x 3 | 2 | **100** (100) |"


def test_shapes_of_one_pass_are_those_of_their_own():
    options = argparse.Namespace(**{**vars(OPTIONS), "codes": 2, "tests": 1})
    together = label_confidence.draw([TASK], options, [(2, 1), (3, 2)])
    (alone,) = label_confidence.draw([TASK], options)
    assert [group.evidence.passed.shape for group in together] == [(2, 2, 1), (2, 3, 2)]
    assert (together[0].evidence.passed == alone.evidence.passed).all()
