import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from builders.dstc import minimax
from builders.dstc.minimax import Picks

MATRICES = st.tuples(st.integers(1, 6), st.integers(1, 6)).flatmap(lambda shape: arrays(bool, shape))


def last(tied, _=None):
    return tied[-1]


def run(rows, **options):
    return minimax.minimax(np.array(rows, dtype=bool), **options)


def four(picks):
    return (picks.chosen_code, picks.chosen_test), (picks.rejected_code, picks.rejected_test)


def test_first_worked_example():
    picks = run([[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    assert four(picks) == ((0, 2), (3, 0))
    assert picks.equals == (1, 1, 1, 1)


def test_second_worked_example():
    picks = run([[1, 1, 0], [1, 0, 1], [0, 0, 0]])
    assert four(picks) == ((0, 1), (2, 0))
    assert picks.equals == (2, 1, 1, 1)


def test_third_worked_example_and_its_other_tie():
    picks = run([[1, 0], [0, 1]])
    assert four(picks) == ((0, 0), (1, 0))
    assert picks.equals == (2, 1, 1, 2)
    other = run([[1, 0], [0, 1]], tests=last)
    assert four(other) == ((0, 0), (0, 1))
    assert other.same_code
    assert not picks.same_code


def test_the_rejected_code_is_the_weakest_that_fails_the_rejected_test():
    # test 0 is the easiest that somebody fails; codes 2 and 3 fail it, code 3 passes fewer tests, code 4 fewest of all
    picks = run([[1, 1, 1], [1, 1, 0], [0, 1, 1], [0, 1, 0], [1, 0, 0]])
    assert four(picks)[1] == (4, 1)
    picks = run([[1, 1, 1], [1, 1, 0], [0, 1, 1], [0, 1, 0], [1, 1, 0]])
    assert four(picks)[1] == (3, 0)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([[0, 0], [0, 0]], minimax.NOBODY_PASSES),
        ([[1, 1], [1, 1]], minimax.EVERYBODY_PASSES),
        ([[1]], minimax.EVERYBODY_PASSES),
    ],
)
def test_no_pair(rows, reason):
    assert run(rows) == reason
    assert minimax.at_random(np.array(rows, bool), np.zeros((len(rows), len(rows[0])))) == reason


def reference(passed, tests, codes):
    """The formulas, word for word, in plain Python."""
    n, m = passed.shape
    R = [sum(passed[j]) for j in range(n)]
    Q = [sum(passed[:, k]) for k in range(m)]
    chosen = codes([j for j in range(n) if max(R) == R[j]])
    mine = [k for k in range(m) if passed[chosen, k]]
    hard = tests([k for k in mine if Q[k] == min(Q[i] for i in mine)])
    some = [k for k in range(m) if Q[k] < n]
    easy = tests([k for k in some if Q[k] == max(Q[i] for i in some)])
    fail = [j for j in range(n) if not passed[j, easy]]
    weak = codes([j for j in fail if R[j] == min(R[i] for i in fail)])
    return (chosen, hard), (weak, easy)


@given(MATRICES)
def test_the_formulas(passed):
    for tests in (lambda tied: tied[0], lambda tied: tied[-1]):
        picks = minimax.minimax(passed, codes=lambda tied, _, pick=tests: pick(tied), tests=tests)
        if isinstance(picks, Picks):
            assert four(picks) == reference(passed, tests, tests)
        else:
            assert not passed.any() or passed.all()


@given(MATRICES, st.randoms(use_true_random=False))
def test_invariants(passed, random):
    """The chosen code passes the chosen test, the rejected one fails the rejected test, whatever the scores."""
    scores = [random.random() for _ in passed]
    lots = np.array([[random.random() for _ in row] for row in passed])
    allowed = np.array([random.random() < 0.5 for _ in passed[0]])
    for only in (None, allowed):
        for picks in (minimax.minimax(passed, scores, allowed=only), minimax.at_random(passed, lots, only)):
            if isinstance(picks, Picks):
                assert passed[picks.chosen_code, picks.chosen_test]
                assert not passed[picks.rejected_code, picks.rejected_test]
                assert only is None or allowed[picks.chosen_test]
            elif passed.any() and not passed.all():
                assert picks == minimax.NOT_SHARED
                assert not (passed & allowed).any()


def test_scores_choose_the_code_but_only_one_that_passes_a_test():
    rows = [[1, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert four(run(rows, scores=[1.0, 2.0, 3.0])) == ((1, 2), (1, 0))
    assert four(run(rows, scores=[2.0, 1.0, 0.0])) == ((0, 0), (2, 0))


def test_only_allowed_tests_are_chosen():
    rows = [[1, 1, 0], [1, 0, 0], [0, 0, 1]]
    assert four(run(rows, allowed=np.array([True, False, False])))[0] == (0, 0)
    assert four(run(rows, allowed=np.array([False, False, True])))[0] == (2, 2)
    assert run(rows, allowed=np.zeros(3, bool)) == minimax.NOT_SHARED


def test_random_takes_the_lowest_lots():
    passed = np.array([[1, 0], [1, 0]], bool)
    picks = minimax.at_random(passed, np.array([[0.9, 0.2], [0.1, 0.3]]))
    assert four(picks) == ((1, 0), (0, 1))
