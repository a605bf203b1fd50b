"""Rankings of others on matrices that were worked by hand, and against slow ones straight from the formulas."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from builders.chain.evidence import NOTHING, MatrixStack
from builders.chain.published import ALPHA, BETA, SLOPE, _ascent, aces_c, aces_o, aces_weights, b4, srank

shapes = st.tuples(st.just(2), st.integers(1, 6), st.integers(1, 6))
stacks = shapes.flatmap(
    lambda shape: st.tuples(arrays(bool, shape), arrays(np.int64, shape, elements=st.integers(NOTHING, 2)))
).map(lambda pair: MatrixStack(*pair))


def stack(rows, outputs=None):
    passed = np.array([rows], dtype=bool)
    return MatrixStack(passed, np.array([outputs]) if outputs else passed.astype(np.int64))


def log_beta(a, b):
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def test_b4_by_hand():
    found = b4(stack([[1, 1, 0], [1, 1, 0], [0, 1, 1]]))[0]
    # the first two codes: 2 of 3 codes, 2 of 3 tests; the third passes 1 of the 2 right tests and the wrong one
    first = log_beta(2 + ALPHA, 2) + log_beta(2 + ALPHA, 2) + log_beta(2, 2) + log_beta(2, BETA)
    # the third: 1 code, tests 2 and 3; the others pass 2 of 4 cells there and 2 of 2 elsewhere
    third = log_beta(1 + ALPHA, 3) + log_beta(2 + ALPHA, 2) + log_beta(3, 3) + log_beta(3, BETA)
    assert found == pytest.approx([first, first, third], rel=1e-12)


@given(stacks)
def test_b4_is_the_posterior_of_every_group(evidence):
    for found, passed in zip(b4(evidence), evidence.passed, strict=True):
        for score, row in zip(found, passed, strict=True):
            inside = (passed == row).all(axis=1)
            right, wrong = passed[~inside][:, row], passed[~inside][:, ~row]
            expected = (
                log_beta(inside.sum() + ALPHA, (~inside).sum() + 1)
                + log_beta(row.sum() + ALPHA, (~row).sum() + 1)
                + log_beta(right.sum() + 1, right.size - right.sum() + 1)
                + log_beta(wrong.sum() + 1, wrong.size - wrong.sum() + BETA)
            )
            assert score == pytest.approx(expected, rel=1e-9)


def test_aces_c_by_hand():
    # tests 1 and 2 agree; the third contradicts both, the fourth is passed by all
    evidence = stack([[1, 1, 0, 1], [1, 1, 0, 1], [0, 0, 1, 1], [0, 0, 1, 1]])
    assert aces_weights(evidence.passed)[0] == pytest.approx([0.0, 0.0, 0.0, 0.0])
    evidence = stack([[1, 1, 1, 1], [1, 1, 1, 1], [0, 0, 1, 1], [1, 0, 0, 1]])
    # without test 1: passers have 3, 3, 1, the other 2: 2 of 3 pairs won; p = 3/4
    # without test 2: passers have 3, 3, the others 2, 2: all won; p = 1/2. Test 3: passers 3, 3, 1, the other 2
    weights = [(2 / 3 - 0.5) * 3 / 16, 0.5 / 4, (2 / 3 - 0.5) * 3 / 16, 0.0]
    assert aces_weights(evidence.passed)[0] == pytest.approx(weights)
    assert aces_c(evidence)[0] == pytest.approx([sum(weights), sum(weights), weights[2], weights[0]])


def smoothed(passed, weights):
    """What ACES-O climbs, pair by pair: sum w_j (share of passers ahead of non-passers without test j, less 1/2)."""
    total = 0.0
    for j, weight in enumerate(weights):
        scores = passed @ weights - passed[:, j] * weight
        pairs = list(itertools.product(scores[passed[:, j]], scores[~passed[:, j]]))
        ahead = sum(1 / (1 + math.exp(-SLOPE * (a - b))) for a, b in pairs)
        total += weight * (ahead / len(pairs) - 0.5) if pairs else 0.0
    return total


@settings(max_examples=60, deadline=None)
@given(stacks, st.integers(0, 99))
def test_aces_o_climbs_its_objective(evidence, seed):
    passed = evidence.passed
    weights = np.random.default_rng(seed).dirichlet(np.ones(passed.shape[2]), len(passed))
    found = _ascent(passed.astype(np.float64), weights)
    for prompt, j in itertools.product(range(len(passed)), range(passed.shape[2])):
        step = np.zeros(passed.shape[2])
        step[j] = 1e-5
        ends = [smoothed(passed[prompt], weights[prompt] + sign * step) for sign in (1, -1)]
        assert found[prompt, j] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-6)


def test_aces_o_raises_the_weight_of_tests_that_agree():
    rng = np.random.default_rng(0)
    right = np.arange(12) < 5
    tests = np.stack([right ^ (rng.random(12) < noise) for noise in (0.05, 0.05, 0.1, 0.1, 0.5, 0.5, 0.5)], axis=1)
    evidence = MatrixStack(tests[None], tests[None].astype(np.int64))
    scores = aces_o(evidence)[0]
    assert scores[right].min() > scores[~right].max()


def test_srank_by_hand():
    # codes 1 and 2 are a cluster and pass both tests, code 3 agrees with it on one input, code 4 raises twice
    outputs = [[5, 7], [5, 7], [5, 8], [NOTHING, NOTHING]]
    evidence = stack([[1, 1], [1, 1], [1, 0], [0, 0]], outputs)
    cluster = [2 / 4 * 1.0, 1 / 4 * 0.5, 0.0]
    first = cluster[0] + 0.5 * cluster[1]
    third = 0.5 * cluster[0] + cluster[1]
    assert srank(evidence)[0] == pytest.approx([first, first, third, 0.0])


@pytest.mark.parametrize("rank", [b4, aces_c, aces_o, srank])
@settings(max_examples=30, deadline=None)
@given(evidence=stacks)
def test_equal_evidence_scores_equally_and_a_batch_is_its_items(rank, evidence):
    found = rank(evidence)
    for number in range(len(evidence.passed)):
        alone = rank(evidence.of([number]))[0]
        assert (found[number] == alone).all()
        rows = np.concatenate([evidence.passed[number], evidence.outputs[number]], axis=1)
        for a, b in itertools.combinations(range(len(rows)), 2):
            if (rows[a] == rows[b]).all():
                assert found[number, a] == found[number, b]
