"""Means with 95 % intervals, by a bootstrap over problems."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
LEVELS = (0.025, 0.975)

Interval = tuple[float, float, float]
"""Mean, and both ends of its 95 % interval."""


def bootstrap(values: Sequence[float] | NDArray[np.floating] | NDArray[np.bool_]) -> Interval:
    """Mean of one value a problem and its percentile interval over bootstrapped problems (`RESAMPLES`, fixed seed).

    Says how much the mean would move with other problems of the same kind. Zeros where there is nothing.
    """
    given = np.asarray(values, dtype=float)
    if not len(given):
        return 0.0, 0.0, 0.0
    draws = np.random.default_rng(0).integers(0, len(given), (RESAMPLES, len(given)))
    low, high = np.quantile(given[draws].mean(axis=1), LEVELS)
    return float(given.mean()), float(low), float(high)
