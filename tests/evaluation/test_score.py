import itertools
import math

import numpy as np
import pytest

from evaluation.score import pass_at_k, pass_at_ks, score, usual_ks, wilson


@pytest.mark.parametrize("n", range(1, 8))
def test_equals_the_share_of_subsets_with_a_right_sample(n):
    for c, k in itertools.product(range(n + 1), range(1, n + 1)):
        subsets = list(itertools.combinations(range(n), k))
        share = sum(any(sample < c for sample in subset) for subset in subsets) / len(subsets)
        assert pass_at_k(n, c, k) == pytest.approx(share, abs=1e-12)
        assert pass_at_k(n, c, k) == pytest.approx(1 - math.comb(n - c, k) / math.comb(n, k), abs=1e-12)


def test_large_numbers_stay_exact():
    assert pass_at_k(1000, 3, 100) == pytest.approx(1 - math.comb(997, 100) / math.comb(1000, 100), rel=1e-12)


@pytest.mark.parametrize("arguments", [(5, 6, 1), (5, 1, 0), (5, 1, 6), (5, -1, 1)])
def test_impossible_counts_are_refused(arguments):
    with pytest.raises(ValueError, match="can not be estimated"):
        pass_at_k(*arguments)


def test_only_the_ks_that_every_problem_has_samples_for():
    assert list(pass_at_ks([(10, 3), (5, 0)])) == ["pass@1", "pass@5"]
    assert list(pass_at_ks([(10, 3), (5, 0)], (1, 3, 5, 10))) == ["pass@1", "pass@3", "pass@5"]
    assert [usual_ks(n) for n in (1, 2, 4, 8, 20, 200)] == [(1,), (1, 2), (1, 2), (1, 5), (1, 10), (1, 100)]
    assert pass_at_ks([(10, 3), (5, 0)])["pass@1"].value == pytest.approx(0.15)


def test_intervals_hold_the_mean_and_shrink_with_problems():
    few, many = score([1.0, 0.0] * 5), score([1.0, 0.0] * 500)
    for found in (few, many, score([0.25, 0.5, 1.0, 0.0, 0.75])):
        assert 0 <= found.low < found.value < found.high <= 1
    assert many.high - many.low < few.high - few.low
    assert score([1.0] * 10).low < 1.0
    with pytest.raises(ValueError, match="no problems"):
        score([])


def test_wilson_against_a_published_example():
    # Newcombe 1998, table I: 81 of 263
    low, high = wilson(81, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


def test_a_few_equal_problems_are_not_certain():
    found = score([0.5, 0.5])
    assert found.value == 0.5
    assert found.low < 0.2
    assert found.high > 0.8
    right = score([1.0] * 3 + [0.0] * 2)
    assert (right.low, right.high) == pytest.approx(wilson(3, 5))


@pytest.mark.parametrize("problems", [5, 50])
def test_intervals_of_fractions_hold_what_is_true(problems):
    random = np.random.default_rng(0)
    held = 0
    for _ in range(300):
        rates = random.beta(2, 2, problems)
        found = score((random.binomial(8, rates) / 8).tolist())
        held += found.low <= 0.5 <= found.high
    assert held >= 0.92 * 300
