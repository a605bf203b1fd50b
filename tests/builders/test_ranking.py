import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from builders.ranking import confidence, self_validation

FOUR_CODES = np.array([[1, 1, 0], [1, 1, 0], [0, 1, 1], [0, 0, 0]], dtype=bool)
TWO_CODES = np.array([[1, 1], [0, 1]], dtype=bool)


@pytest.mark.parametrize(
    ("schedule", "damping", "iterations", "codes", "tests"),
    [
        ("simultaneous", 0.5, 2, [2.5, 2.5, 2.25, 0.25], [2.25, 3.25, 1.25]),
        ("tests_first", 0.5, 2, [4.75, 4.75, 3.875, 0.25], [3.0, 4.25, 1.5]),
        ("simultaneous", 0.85, 10, [1062.03, 1062.03, 778.474, 5.7665e-9], [960.162, 1312.53, 352.368]),
        ("tests_first", 0.85, 10, [552392, 552392, 404381, 5.7665e-9], [263571, 360047, 96475.3]),
    ],
)
def test_published_vectors(schedule, damping, iterations, codes, tests):
    got = self_validation(FOUR_CODES, damping=damping, iterations=iterations, schedule=schedule)
    for score, expected in zip(np.concatenate(got), [*codes, *tests], strict=True):
        assert f"{score:.6g}" == f"{expected:.6g}"


def test_figure_2_needs_the_tests_first_schedule():
    steps = [self_validation(TWO_CODES, damping=0.5, iterations=t, schedule="tests_first")[0][0] for t in (0, 1, 2)]
    assert steps == [1.0, 1.75, 2.6875]
    steps = [self_validation(TWO_CODES, damping=0.5, iterations=t)[0][0] for t in (1, 2)]
    assert steps == [1.5, 2.0]


def test_all_ones_grow_by_the_singular_value():
    codes, _ = self_validation(np.ones((15, 15), dtype=bool))
    assert codes[0] == pytest.approx(1.27613641911708e11, rel=1e-12)


matrices = st.tuples(st.integers(1, 8), st.integers(1, 8)).flatmap(lambda shape: arrays(bool, shape))


@given(matrices, st.sampled_from(["simultaneous", "tests_first"]))
def test_more_passes_never_score_less(passed, schedule):
    codes, _ = self_validation(passed, schedule=schedule)
    for i in range(len(passed)):
        for k in range(len(passed)):
            if (passed[i] >= passed[k]).all():
                assert codes[i] >= codes[k]
            if (passed[i] == passed[k]).all():
                assert codes[i] == codes[k]


@given(matrices, st.sampled_from(["simultaneous", "tests_first"]))
def test_matrix_form(passed, schedule):
    link, codes, tests, d = passed.astype(float), np.ones(len(passed)), np.ones(passed.shape[1]), 0.85
    for _ in range(10):
        new_tests = (1 - d) * tests + d * link.T @ codes
        codes = (1 - d) * codes + d * link @ (new_tests if schedule == "tests_first" else tests)
        tests = new_tests
    got = self_validation(passed, schedule=schedule)
    np.testing.assert_allclose(got[0], codes, rtol=1e-12)
    np.testing.assert_allclose(got[1], tests, rtol=1e-12)


@given(arrays(bool, (3, 5, 4)))
def test_a_batch_equals_its_items(batch):
    codes, tests = self_validation(batch)
    for k, passed in enumerate(batch):
        one_codes, one_tests = self_validation(passed)
        assert (codes[k] == one_codes).all()
        assert (tests[k] == one_tests).all()


@given(matrices)
def test_confidence_is_a_share(passed):
    codes, tests = self_validation(passed)
    top, bottom = int(codes.argmax()), int(codes.argmin())
    assert 0.0 <= confidence(passed, tests, top, bottom) <= 1.0
    assert confidence(passed, tests, top, top) == 0.0


def test_confidence_of_a_clean_split_is_one():
    passed = np.array([[1, 1], [0, 0]], dtype=bool)
    assert confidence(passed, self_validation(passed)[1], 0, 1) == 1.0
