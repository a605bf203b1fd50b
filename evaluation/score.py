"""pass@k as in Chen et al. 2021 (arXiv:2107.03374), with intervals over problems."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

Z = 1.959963984540054
"""Quantile of the normal distribution for 95 %."""
USUAL = (1, 2, 5, 10, 100)
"""The k that papers report."""
INTERVAL = "95 %, Wilson's over problems"
"""How the intervals of scores are made, for results and summaries."""


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
    """Mean of one estimate a problem, each in [0, 1].

    The interval says how much the mean would move with other problems of the same kind. It is Wilson's for every kind
    of estimate: `problem_weight` says for how many right-or-wrong problems those between 0 and 1 stand. Raises
    ValueError without problems.
    """
    if not estimates:
        raise ValueError("no problems to average over")
    mean = math.fsum(estimates) / len(estimates)
    problems = len(estimates) * problem_weight(estimates)
    return Score(mean, *wilson(mean * problems, problems))


def problem_weight(estimates: Sequence[float]) -> float:
    """For how many problems that are right or wrong one problem stands, at least 1.

    Estimates between 0 and 1 spread less than right and wrong do, so fewer of them say as much (the effective sample
    size of surveys, Kish 1965). One right and one wrong problem are added first: without them a few equal estimates
    would seem certain.
    """
    values = [*estimates, 0.0, 1.0]
    mean = math.fsum(values) / len(values)
    spread = math.fsum((value - mean) ** 2 for value in values) / len(values)
    return max(1.0, mean * (1 - mean) / spread)


def wilson(right: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion."""
    p, z2 = right / n, Z * Z
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def usual_ks(least: int) -> tuple[int, ...]:
    """The k that are reported unless others are asked for: 1, and the largest usual one that `least` samples allow."""
    return tuple(dict.fromkeys((1, max((k for k in USUAL if k <= least), default=1))))


def pass_at_ks(counts: Sequence[tuple[int, int]], ks: Sequence[int] = ()) -> dict[str, Score]:
    """`pass@k` for every k that each problem has samples for; `counts` holds (samples, right ones) of each problem.

    Without `ks` those of `usual_ks`.
    """
    least = min((n for n, _ in counts), default=0)
    scores = {}
    for k in ks or usual_ks(least):
        if k <= least:
            scores[f"pass@{k}"] = score([pass_at_k(n, c, k) for n, c in counts])
    return scores
