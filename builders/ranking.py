"""Ranks the codes and tests of a prompt by each other: pure functions of the pass matrix.

All functions are batched: a matrix has shape (..., codes, tests), so prompts of one shape are ranked in one call. Sums
run over codes and tests in order, one at a time, so that results are the same to the last bit on every machine.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Schedule = Literal["simultaneous", "tests_first"]
Floats = NDArray[np.float64]


def _support(link: Floats, weights: Floats) -> Floats:
    """Sum over j of link[..., i, j] * weights[..., j]."""
    total = np.zeros(link.shape[:-1])
    for j in range(link.shape[-1]):
        total += link[..., j] * weights[..., j, None]
    return total


def self_validation(
    passed: NDArray[np.bool_], *, damping: float = 0.85, iterations: int = 10, schedule: Schedule = "simultaneous"
) -> tuple[Floats, Floats]:
    """CodeDPO's self-validation score (arXiv 2410.05605, equations 1 and 2).

    Codes and tests start at 1; each then takes (1 - d) of its own score and d of the scores of the tests it passes
    (the codes that pass it). Nothing is normalised, so only the order of scores and their ratios mean anything.

    Args:
        passed: Whether code i passes test j, shape (..., codes, tests).
        damping: d in [0, 1].
        iterations: T, number of updates.
        schedule: `simultaneous` uses the previous scores on both sides, as the equations are printed. `tests_first`
            updates the tests and then the codes with the new test scores, which alone reproduces the paper's Figure 2.

    Returns:
        Scores of the codes, shape (..., codes), and of the tests, shape (..., tests).
    """
    link = np.asarray(passed, dtype=np.float64)
    back = np.swapaxes(link, -1, -2)
    codes, tests = np.ones(link.shape[:-1]), np.ones(back.shape[:-1])
    for _ in range(iterations):
        new_tests = (1 - damping) * tests + damping * _support(back, codes)
        seen = new_tests if schedule == "tests_first" else tests
        codes, tests = (1 - damping) * codes + damping * _support(link, seen), new_tests
    return codes, tests


def confidence(passed: NDArray[np.bool_], test_scores: Floats, chosen: int, rejected: int) -> float:
    """How clearly the tests tell one code from another: a number in [0, 1].

    The share of the test score that sits on tests the chosen code passes and the rejected one does not, less the share
    where it is the other way round; 0 when the tests speak for neither.

    Args:
        passed: Shape (codes, tests).
        test_scores: Shape (tests,), not negative.
        chosen: Row of the chosen code.
        rejected: Row of the rejected code.
    """
    total = float(test_scores.sum())
    margin = passed[chosen].astype(np.float64) - passed[rejected].astype(np.float64)
    return min(1.0, max(0.0, float((margin * test_scores).sum()) / total)) if total > 0 else 0.0
