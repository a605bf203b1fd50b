from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from builders.chain import ranking
from builders.chain.evidence import NOTHING, ExampleStack, MatrixStack
from builders.chain.ranking import convergence, self_validation

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
def test_convergence_holds_the_scores_of_every_shorter_run(passed, schedule):
    codes, tests = convergence(passed, iterations=4, schedule=schedule)
    assert codes.shape == (5, len(passed)) and tests.shape == (5, passed.shape[1])
    for number in range(5):
        shorter = self_validation(passed, iterations=number, schedule=schedule)
        assert (codes[number] == shorter[0]).all() and (tests[number] == shorter[1]).all()
    assert (codes[0] == 1).all() and (tests[0] == 1).all()


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


RANKED = [name for name in ranking.NAMES if name != "random"]


def evidence(outputs, expected):
    """One prompt from what every code computed and what every test expects; None is no value."""
    cells = [[NOTHING if value is None else value for value in line] for line in outputs]
    passed = [[value == wanted for value, wanted in zip(line, expected, strict=True)] for line in outputs]
    return MatrixStack(np.array([passed]), np.array([cells], dtype=np.int64))


def scores(name, case):
    return ranking.rank(name, case)[0][0].tolist()


# Three codes agree; the test with the expected value 9 is wrong and a lone wrong code happens to pass it.
WRONG_TEST = evidence([[1, 2, 3], [1, 2, 3], [1, 2, 3], [5, 6, 9], [5, None, 4]], [1, 2, 9])
# Right twice, stubs thrice: the stubs agree with each other on everything, and pass the test the right codes pass not.
STUBS = evidence([[1, 2, 3], [1, 2, 3], [0, 0, 0], [0, 0, 0], [0, 0, 0]], [1, 2, 0])


def test_pass_count_by_hand():
    assert scores("pass_count", WRONG_TEST) == [2, 2, 2, 1, 0]


def test_all_pass_by_hand():
    assert scores("all_pass", WRONG_TEST) == [0, 0, 0, 0, 0]
    assert scores("all_pass", evidence([[1, 2], [1, 5]], [1, 2])) == [1, 0]


def test_dual_agreement_by_hand():
    assert scores("dual_agreement", WRONG_TEST) == [3**0.5 * 2] * 3 + [1, 0]


def test_dual_agreement_sees_verdicts_only():
    assert scores("dual_agreement", evidence([[1, 7], [1, 8], [3, 2]], [1, 2])) == [2**0.5, 2**0.5, 1]


def test_output_consensus_by_hand():
    # each of the first three shares 3 values with two others; the last two share one value with each other
    assert scores("output_consensus", WRONG_TEST) == [6, 6, 6, 1, 1]


def test_no_value_is_no_company():
    assert scores("output_consensus", evidence([[None, 1], [None, 1], [None, None]], [0, 0])) == [1, 1, 0]


def test_combined_by_hand():
    case = evidence([[1, 2], [1, 2], [3, 4]], [1, 2])
    # agreement: (2 cells shared + half of 2 own) / 6, and half of 2 / 6; self-validation of the last code vanishes
    mutual = self_validation(case.passed)[0][0]
    low = (1 / 6) ** 2 * (mutual[2] / mutual[0] + 0.1)
    np.testing.assert_allclose(scores("combined", case), [0.5**2 * 1.1] * 2 + [low], rtol=1e-12)


def test_combined_is_not_fooled_by_stubs():
    assert np.argmax(scores("output_consensus", STUBS)) == 2
    assert np.argmax(scores("combined", STUBS)) == 0


def test_combined_outvotes_a_wrong_test():
    # both groups pass one test; three agree, two do not
    case = evidence([[1, 2], [1, 2], [1, 2], [7, 9], [8, 9]], [1, 9])
    assert scores("combined", case).index(max(scores("combined", case))) == 0


def test_tests_are_worth_the_codes_that_pass_them():
    assert ranking.rank("pass_count", WRONG_TEST)[1].tolist() == [[6, 6, 1]]


def test_examples_come_before_any_score():
    case = evidence([[1, 2], [1, 2], [3, 4], [5, 6]], [1, 2])
    codes, tests = ranking.rank("pass_count", case)
    assert ranking.with_examples(case, codes, tests) == (codes, tests)
    failed = np.array([[True, True, False, True]])
    told = replace(case, examples=ExampleStack(failed, failed))
    moved, of_tests = ranking.with_examples(told, codes, tests)
    assert moved.tolist() == [[1, 1, 2, 0]]
    assert of_tests.tolist() == [[2, 2]]
    silent = replace(case, examples=ExampleStack(failed, np.zeros_like(failed)))
    assert [item.tolist() for item in ranking.with_examples(silent, codes, tests)] == [codes.tolist(), tests.tolist()]
    alike = codes * 0 - 7.0  # scores may be negative, and all alike
    assert ranking.with_examples(told, alike, tests)[0].tolist() == [[0, 0, 2, 0]]


def test_random_is_drawn_by_seed_and_id():
    first = ranking.random([["a", "b", "a"]], 0)
    assert first[0, 0] == first[0, 2] != first[0, 1]
    assert (first == ranking.random([["a", "b", "a"]], 0)).all()
    assert (first != ranking.random([["a", "b", "a"]], 1)).all()
    many = ranking.random([[str(k) for k in range(4000)]], 0)
    assert 0 <= many.min() < 0.01 < 0.99 < many.max() < 1
    assert abs(many.mean() - 0.5) < 0.02


@st.composite
def cases(draw, prompts=1):
    codes, tests = draw(st.integers(2, 7)), draw(st.integers(1, 6))
    outputs = draw(arrays(np.int64, (prompts, codes, tests), elements=st.integers(NOTHING, 2)))
    expected = draw(arrays(np.int64, (prompts, 1, tests), elements=st.integers(0, 2)))
    return MatrixStack((outputs == expected), outputs)


@pytest.mark.parametrize("name", RANKED)
@given(case=cases(), seed=st.integers(0, 1000))
def test_the_order_of_codes_and_tests_does_not_matter(name, case, seed):
    rng = np.random.default_rng(seed)
    rows, columns = (rng.permutation(size) for size in case.passed.shape[1:])
    other = MatrixStack(case.passed[:, rows][:, :, columns], case.outputs[:, rows][:, :, columns])
    codes, tests = ranking.rank(name, case)
    new_codes, new_tests = ranking.rank(name, other)
    np.testing.assert_allclose(new_codes, codes[:, rows], rtol=1e-12)
    np.testing.assert_allclose(new_tests, tests[:, columns], rtol=1e-12)


@pytest.mark.parametrize("name", RANKED)
@given(case=cases())
def test_new_names_for_the_outputs_change_nothing(name, case):
    other = MatrixStack(case.passed, np.where(case.outputs == NOTHING, NOTHING, 7 - case.outputs))
    assert (ranking.rank(name, other)[0] == ranking.rank(name, case)[0]).all()


@pytest.mark.parametrize("name", RANKED)
@given(case=cases(prompts=3))
def test_every_ranking_of_a_batch_equals_its_items(name, case):
    codes, tests = ranking.rank(name, case)
    for k in range(3):
        item = case.of([k])
        one_codes, one_tests = ranking.rank(name, item)
        assert (one_codes[0] == codes[k]).all()
        assert (one_tests[0] == tests[k]).all()


@pytest.mark.parametrize("name", RANKED)
@given(case=cases())
def test_equal_evidence_has_equal_scores(name, case):
    codes = ranking.rank(name, case)[0][0]
    for i in range(len(codes)):
        for k in range(i):
            if (case.outputs[0, i] == case.outputs[0, k]).all():
                assert codes[i] == codes[k]
