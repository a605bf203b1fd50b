"""pass@k as in Chen et al. 2021 (arXiv:2107.03374), with intervals over problems."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from codepref.intervals import bootstrap

Z = 1.959963984540054
"""Quantile of the normal distribution for 95 %."""


@dataclass(frozen=True)
class Score:
    """A mean over problems and its 95 % interval, as shares in [0, 1]."""

    value: float
    low: float
    high: float


def pass_at_k(n: int, c: int, k: int) -> float:
    """Unbiased estimate that at least one of `k` samples passes, from `c` right ones among `n`.

    Raises ValueError unless 0 <= c <= n and 1 <= k <= n.
    """
    if not (0 <= c <= n and 1 <= k <= n):
        raise ValueError(f"pass@{k} can not be estimated from {c} right samples of {n}")
    if n - c < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / i for i in range(n - c + 1, n + 1))


def score(estimates: Sequence[float]) -> Score:
    """Mean of one estimate a problem.

    The interval says how much the mean would move with other problems of the same kind: Wilson's where each estimate is
    0 or 1, else a percentile bootstrap over problems with a fixed seed. Raises ValueError without problems.
    """
    if not estimates:
        raise ValueError("no problems to average over")
    mean = math.fsum(estimates) / len(estimates)
    if set(estimates) <= {0.0, 1.0}:
        return Score(mean, *wilson(sum(estimates), len(estimates)))
    _, low, high = bootstrap(estimates)
    return Score(mean, low, high)


def wilson(right: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion."""
    p, z2 = right / n, Z * Z
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def pass_at_ks(counts: Sequence[tuple[int, int]], ks: Sequence[int] = (1, 5, 10, 100)) -> dict[str, Score]:
    """`pass@k` for every k that each problem has samples for; `counts` holds (samples, right ones) of each problem."""
    least = min((n for n, _ in counts), default=0)
    return {f"pass@{k}": score([pass_at_k(n, c, k) for n, c in counts]) for k in ks if k <= least}
