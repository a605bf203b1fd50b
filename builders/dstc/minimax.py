"""DSTC's selection: which code and test of a pass matrix are preferred to which (arXiv 2411.13611).

With R_j the number of tests code j passes and Q_k the number of codes that pass test k:

    chosen code    argmax R_j                     most accurate
    chosen test    argmin Q_k, chosen code passes hardest it passes
    rejected test  argmax Q_k, Q_k < codes        easiest that somebody fails
    rejected code  argmin R_j, j fails that test  weakest that fails it

R may be replaced by any score of the codes. All functions are pure.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.bool_]

NOBODY_PASSES = "no code passes a test"
EVERYBODY_PASSES = "every code passes every test"
NOT_SHARED = "no test passed by enough codes"


@dataclass(frozen=True)
class Picks:
    """Rows and columns of the matrix."""

    chosen_code: int
    chosen_test: int
    rejected_code: int
    rejected_test: int
    equals: tuple[int, int, int, int] = (1, 1, 1, 1)
    """How many were equally good for each of these four, itself included."""

    @property
    def same_code(self) -> bool:
        """Whether one code stands on both sides."""
        return self.chosen_code == self.rejected_code


TestChoice = Callable[[Sequence[int]], int]
"""`choice(tied)`: one of equally good tests."""
CodeChoice = Callable[[Sequence[int], int | None], int]
"""`choice(tied, chosen)`: one of equally good codes; `chosen` is None while the chosen code is picked."""


def first(tied: Sequence[int], _: int | None = None) -> int:
    """The lowest index: the choice of worked examples."""
    return tied[0]


def minimax(
    passed: Matrix,
    scores: Sequence[float] | None = None,
    *,
    codes: CodeChoice = first,
    tests: TestChoice = first,
    allowed: NDArray[np.bool_] | None = None,
) -> Picks | str:
    """The four picks, or the reason why there are none.

    Args:
        passed: Whether code j passes test k, shape (codes, tests).
        scores: What codes are compared by, shape (codes,); by default the tests they pass, as published.
        codes: Picks among codes of equal score.
        tests: Picks among tests that equally many codes pass.
        allowed: Which tests may be the chosen one, shape (tests,); all by default. The chosen code is then the best
            of those that pass an allowed test.
    """
    strict = _impossible(passed)
    if strict:
        return strict
    score = passed.sum(axis=1) if scores is None else np.asarray(scores)
    passing = passed.sum(axis=0)
    shared = passed if allowed is None else passed & allowed
    able = np.flatnonzero(shared.any(axis=1))
    if not len(able):
        return NOT_SHARED
    best = _extreme(able, -score)
    chosen = codes(best, None)
    hardest = _extreme(np.flatnonzero(shared[chosen]), passing)
    easiest = _extreme(np.flatnonzero(passing < len(passed)), -passing)
    rejected_test = tests(easiest)
    weakest = _extreme(np.flatnonzero(~passed[:, rejected_test]), score)
    equals = (len(best), len(hardest), len(weakest), len(easiest))
    return Picks(chosen, tests(hardest), codes(weakest, chosen), rejected_test, equals)


def at_random(passed: Matrix, lots: NDArray[np.float64], allowed: NDArray[np.bool_] | None = None) -> Picks | str:
    """A passing cell over a failing cell: the selection that minimax must beat.

    Args:
        passed: Whether code j passes test k, shape (codes, tests).
        lots: A random number for every cell, same shape: the lowest wins on either side.
        allowed: As in `minimax`.
    """
    strict = _impossible(passed)
    if strict:
        return strict
    shared = passed if allowed is None else passed & allowed
    if not shared.any():
        return NOT_SHARED
    chosen, rejected = (_lowest(np.where(cells, lots, np.inf)) for cells in (shared, ~passed))
    return Picks(chosen[0], chosen[1], rejected[0], rejected[1])


def _impossible(passed: Matrix) -> str:
    if not passed.any():
        return NOBODY_PASSES
    return EVERYBODY_PASSES if passed.all() else ""


def _extreme(among: NDArray[np.intp], values: NDArray[np.number]) -> list[int]:
    """Those of `among` whose value is lowest."""
    mine = values[among]
    return [int(index) for index in among[mine == mine.min()]]


def _lowest(lots: NDArray[np.float64]) -> tuple[int, int]:
    row, column = divmod(int(lots.argmin()), lots.shape[1])
    return row, column
