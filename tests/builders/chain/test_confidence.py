import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from builders.chain import confidence
from builders.chain.confidence import FEATURES, LEARNT_SHARE, WEIGHTS, features, log_odds, probability, right_share
from builders.chain.evidence import NOTHING, ExampleStack, MatrixStack


def evidence(outputs, expected):
    """One prompt from what every code computed and what every test expects; None is no value."""
    cells = [[NOTHING if value is None else value for value in line] for line in outputs]
    passed = [[value == wanted for value, wanted in zip(line, expected, strict=True)] for line in outputs]
    return MatrixStack(np.array([passed]), np.array([cells], dtype=np.int64))


def found(case, chosen, rejected):
    return dict(zip(FEATURES, features(case, np.array([chosen]), np.array([rejected]))[0].tolist(), strict=True))


# Three codes agree; the last test is wrong, and a lone wrong code happens to pass it.
WRONG_TEST = evidence([[1, 2, 3], [1, 2, 3], [1, 2, 3], [5, 6, 9], [5, None, 4]], [1, 2, 9])


def test_features_by_hand():
    mine = found(WRONG_TEST, 0, 3)
    assert mine["share"] == pytest.approx(math.log(3 / 5))
    # cells of 5 x 5 x 3: the three share 9 a test, the others themselves, and each other on the first test
    assert mine["agreement"] == pytest.approx((3 * 9 + (2 + 2) + 1 + 2) / 75)
    assert (mine["alike"], mine["constant"]) == (0, 0)
    assert mine["rival"] == pytest.approx(1 / 5)
    assert (mine["passes"], mine["rival_passes"], mine["rejected_passes"]) == pytest.approx((2 / 3, 1 / 3, 1 / 3))


def test_features_of_a_pair_that_is_alike():
    mine = found(evidence([[4, 4], [4, 5], [None, 5]], [4, 5]), 0, 1)
    assert mine["alike"] == 1 / 2  # the same value on the first test
    assert mine["constant"] == 1
    assert found(evidence([[None, 5], [None, 6]], [4, 5]), 0, 1)["alike"] == 0  # no value is not the same value


def test_features_of_examples():
    assert {found(WRONG_TEST, 0, 3)[name] for name in confidence.EXAMPLE_FEATURES} == {0}
    failed = np.array([[False, False, True, True, True]])
    told = replace(WRONG_TEST, examples=ExampleStack(failed, failed))
    seen = {pair: found(told, *pair) for pair in ((0, 3), (0, 1), (2, 3))}
    assert [(mine["told_apart"], mine["chosen_fails"]) for mine in seen.values()] == [(1, 0), (0, 0), (0, 1)]
    odds = [log_odds(features(told, np.array([chosen]), np.array([rejected])))[0] for chosen, rejected in seen]
    assert odds[0] > odds[2]


def test_there_is_a_weight_for_every_feature():
    assert len(WEIGHTS) == 1 + len(FEATURES)
    assert 0 < LEARNT_SHARE < 1


def surety(outputs, expected=(1, 2), chosen=0, rejected=-1):
    case = evidence(outputs, expected)
    pair = np.array([chosen]), np.array([rejected % len(outputs)])
    return probability(log_odds(features(case, *pair)), LEARNT_SHARE)[0]


def test_confidence_grows_with_agreement():
    wrong = [[3, 4], [5, 6], [7, 8], [9, 10]]
    sure = [surety([[1, 2]] * right + wrong[right - 1 :]) for right in range(1, 5)]
    assert sure == sorted(sure)
    assert sure[-1] - sure[0] > 0.2


def test_confidence_falls_when_the_pair_is_alike():
    assert surety([[1, 2], [1, 2], [1, 5]]) < surety([[1, 2], [1, 2], [4, 5]])


@st.composite
def cases(draw, prompts=3):
    codes, tests = draw(st.integers(2, 6)), draw(st.integers(1, 5))
    outputs = draw(arrays(np.int64, (prompts, codes, tests), elements=st.integers(NOTHING, 2)))
    expected = draw(arrays(np.int64, (prompts, 1, tests), elements=st.integers(0, 2)))
    return MatrixStack(outputs == expected, outputs)


@given(case=cases(), share=st.floats(0.001, 0.999))
def test_confidence_is_a_probability_and_a_batch_is_its_items(case, share):
    chosen, rejected = np.array([0, 1, 0]), np.array([1, 0, 1])
    sure = probability(log_odds(features(case, chosen, rejected)), share)
    assert ((sure >= 0) & (sure <= 1)).all()
    for number in range(3):
        alone = features(case.of([number]), chosen[[number]], rejected[[number]])
        assert probability(log_odds(alone), share)[0] == sure[number]


def test_a_run_tells_its_share_of_right_pairs():
    rng = np.random.default_rng(0)
    for truth in (0.2, 0.5, 0.9):
        right = rng.random(4000) < truth
        evidence_of_pairs = rng.normal(np.where(right, 1.0, -1.0), math.sqrt(2))  # log odds of two normal densities
        offset = math.log(LEARNT_SHARE / (1 - LEARNT_SHARE))
        share = right_share([evidence_of_pairs + offset])
        assert share == pytest.approx(truth, abs=0.1)  # held back towards the learnt share
        assert probability(evidence_of_pairs + offset, share).mean() == pytest.approx(truth, abs=0.1)


def test_a_small_run_keeps_close_to_what_was_learnt():
    strong = np.full(3, 5.0)
    assert right_share([strong]) < LEARNT_SHARE + 0.15
    assert right_share([np.full(3000, 5.0)]) > 0.9


def test_evidence_that_is_all_alike_does_not_drive_the_share_to_nothing():
    low = right_share([np.full(100_000, -1.0)])
    assert 0.03 < low < LEARNT_SHARE
    assert right_share([np.full(100_000, 1.0)]) < 0.99


def test_without_pairs_the_learnt_share_stays():
    assert right_share([]) == pytest.approx(LEARNT_SHARE, abs=0.001)


@given(arrays(np.float64, st.integers(1, 60), elements=st.floats(-6, 6)), st.integers(0, 99), st.integers(0, 59))
def test_order_and_shards_do_not_change_the_share(values, seed, cut):
    shuffled = np.random.default_rng(seed).permutation(values)
    assert right_share([values]) == right_share([shuffled[:cut], shuffled[cut:]])


def test_a_large_run_is_sampled():
    assert confidence.sampling_step(0) == confidence.sampling_step(confidence.SAMPLED) == 1
    step = confidence.sampling_step(100_000)
    assert len(range(0, 100_000, step)) <= confidence.SAMPLED < 2 * len(range(0, 100_000, step))
