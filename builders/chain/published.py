"""Rankings of others, as they were published: what ours are compared with.

All take the `MatrixStack` of prompts of one shape and give the scores of their codes, shape (prompts, codes).
"""

import math

import numpy as np
from numpy.typing import NDArray

from builders.chain.evidence import NOTHING, MatrixStack, shared_labels

Floats = NDArray[np.float64]
ALPHA, BETA = 1e3, 1e5
"""Priors of B4: that a code or test is right, and that a wrong code fails a wrong test. The authors choose the second
between 1e4 and 1e6 for every dataset."""
SLOPE, RATE, ROUNDS = 10.0, 2.0, 60
"""Of ACES-O's ascent: slope of the logistic function in place of "scores higher", step length, number of steps. Ours:
what we know of the method is that its surrogate is logistic, not its constants."""


def b4(evidence: MatrixStack, alpha: float = ALPHA, beta: float = BETA) -> Floats:
    """B4 (Chen et al., arXiv 2409.08692, and the authors' code): log posterior that a code's group is the right one.

    The group of a code is the codes that pass the same tests. If it is right, so are the tests it passes; how the other
    codes fare on right and on wrong tests has beta priors.

    Args:
        evidence: What happened.
        alpha: Prior of codes and of tests to be right.
        beta: Prior of a wrong code to fail a wrong test.
    """
    passed = evidence.passed.astype(np.int64)
    codes, tests = passed.shape[1:]
    both = passed @ np.swapaxes(passed, 1, 2)
    passes = passed.sum(axis=2)
    outside = (both != passes[:, :, None]) | (both != passes[:, None, :])
    inside = codes - outside.sum(axis=2)
    right = (outside * both).sum(axis=2)
    wrong = (outside * (passes[:, None, :] - both)).sum(axis=2)
    others = codes - inside
    return np.asarray(
        _log_beta(inside + alpha, others + 1)
        + _log_beta(passes + alpha, tests - passes + 1)
        + _log_beta(right + 1, others * passes - right + 1)
        + _log_beta(wrong + 1, others * (tests - passes) - wrong + beta)
    )


def _log_beta(a: NDArray[np.generic], b: NDArray[np.generic]) -> Floats:
    """Logarithm of the beta function."""
    return _log_gamma(a) + _log_gamma(b) - _log_gamma(np.asarray(a) + b)


def _log_gamma(values: NDArray[np.generic]) -> Floats:
    """Logarithm of the gamma function; few values are distinct, so each is computed once."""
    distinct, places = np.unique(values, return_inverse=True)
    return np.array([math.lgamma(value) for value in distinct.tolist()])[places].reshape(np.shape(values))


def aces_c(evidence: MatrixStack) -> Floats:
    """ACES in closed form (arXiv 2604.03922): tests passed, weighed by `aces_weights`."""
    return _weighted(evidence.passed, aces_weights(evidence.passed))


def aces_weights(passed: NDArray[np.bool_]) -> Floats:
    """Weight of each test, shape (prompts, tests): how well the other tests, all alike, tell its passers from the rest.

    w = max(0, AUC - 1/2) p (1 - p), where p is the share of codes that pass and AUC that of the number of other tests
    passed. A test that all codes pass, or none, weighs nothing.
    """
    share = passed.mean(axis=1)
    areas = np.stack([_left_out_area(passed, np.ones(share.shape), j) for j in range(passed.shape[2])], axis=1)
    return np.asarray(np.maximum(0.0, areas - 0.5) * share * (1 - share))


def aces_o(evidence: MatrixStack) -> Floats:
    """ACES by optimisation (arXiv 2604.03922): weights w on the simplex that maximise sum w_j (AUC_j(w) - 1/2).

    AUC_j is that of the weighted scores without test j, in telling its passers from the rest. Exponentiated gradient
    ascent from `aces_weights`; the comparison of two scores is smoothed by a logistic function (`SLOPE`).
    """
    passed = evidence.passed.astype(np.float64)
    weights = aces_weights(evidence.passed)
    total = weights.sum(axis=1, keepdims=True)
    weights = np.where(total > 0, weights / np.where(total > 0, total, 1.0), 0.0)
    for _ in range(ROUNDS):
        weights = weights * np.exp(RATE * _ascent(passed, weights))
        total = weights.sum(axis=1, keepdims=True)
        weights = weights / np.where(total > 0, total, 1.0)
    return _weighted(evidence.passed, weights)


def _ascent(passed: Floats, weights: Floats) -> Floats:
    """Gradient of the smoothed objective, shape (prompts, tests)."""
    gradient = np.zeros_like(weights)
    scores = (passed * weights[:, None, :]).sum(axis=2)
    for j in range(passed.shape[2]):
        mine = passed[:, :, j]
        without = scores - mine * weights[:, j, None]
        pair = mine[:, :, None] * (1 - mine[:, None, :])  # a passes test j, b does not
        count = np.maximum(pair.sum(axis=(1, 2)), 1.0)
        higher = 1 / (1 + np.exp(-SLOPE * (without[:, :, None] - without[:, None, :])))
        gradient[:, j] += np.where(pair.any(axis=(1, 2)), (pair * higher).sum(axis=(1, 2)) / count - 0.5, 0.0)
        steep = pair * SLOPE * higher * (1 - higher)
        pull = (steep.sum(axis=2) - steep.sum(axis=1)) / count[:, None]
        others = (pull[:, :, None] * passed).sum(axis=1) * weights[:, j, None]
        others[:, j] = 0.0
        gradient += others
    return gradient


def _left_out_area(passed: NDArray[np.bool_], weights: Floats, j: int) -> Floats:
    """AUC of the scores without test j in telling its passers from the others; 1/2 where there is one kind."""
    mine = passed[:, :, j]
    scores = (passed * weights[:, None, :]).sum(axis=2) - mine * weights[:, j, None]
    pair = mine[:, :, None] & ~mine[:, None, :]
    gap = scores[:, :, None] - scores[:, None, :]
    won = (pair * ((gap > 0) + 0.5 * (gap == 0))).sum(axis=(1, 2))
    count = pair.sum(axis=(1, 2))
    return np.asarray(np.where(count > 0, won / np.maximum(count, 1), 0.5))


def _weighted(passed: NDArray[np.bool_], weights: Floats) -> Floats:
    """Sum of the weights of the tests a code passes, in the order of the tests."""
    total = np.zeros(passed.shape[:2])
    for j in range(passed.shape[2]):
        total += passed[:, :, j] * weights[:, j, None]
    return total


def srank(evidence: MatrixStack) -> Floats:
    """SRank (To et al., arXiv 2311.03366, and the authors' code): C V over clusters of codes with equal outputs.

    V is a cluster's share of the codes times the share of tests it passes, C the share of inputs on which two clusters
    both gave a value, the same; 1 within a cluster. Codes are counted as they are (the authors count distinct
    programs), and every test is an input (they count distinct inputs).
    """
    codes, tests = evidence.passed.shape[1:]
    alike = shared_labels(evidence.outputs) == tests
    values = shared_labels(evidence.outputs, evidence.outputs != NOTHING)
    likeness = np.where(alike, 1.0, values / tests)
    rate = evidence.passed.sum(axis=2) / tests
    return np.asarray((likeness * rate[:, None, :]).sum(axis=2) / codes)
