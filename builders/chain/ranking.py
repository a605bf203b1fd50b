"""Ranks the codes and tests of a prompt by each other: pure functions of the stored matrix.

All functions are batched: they take the `Evidence` of prompts of one shape and give arrays of shape (prompts, codes)
and (prompts, tests). Sums run in order or over whole numbers, so that results are the same to the last bit on every
machine and codes with the same evidence have exactly the same score. No ranking sees the examples of a prompt:
`with_examples` puts the codes that fail one after the others, whichever ranking it is.

====================  ==============================================================================================
self_validation       CodeDPO's mutual score on the pass matrix (the paper's, the default)
pass_count            number of tests passed
all_pass              passes every test, or not
random                a lot drawn by seed and code id: what a ranking must beat
dual_agreement        CodeT: sqrt(codes that pass the same tests) x tests passed
output_consensus      how often other codes computed the same value, whatever the tests expect
combined              agreement on values and self-validation together: best where tests are often wrong
b4                    posterior of "these codes and these tests are right"
aces_c, aces_o        tests passed, each test weighed by how well the others agree with it
srank                 tests passed by codes with like values; these four in `builders.chain.published`
====================  ==============================================================================================

Scores order the codes of one prompt and mean nothing else. What a pair is worth is its confidence
(`builders.chain.confidence`), whichever ranking chose it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from builders.chain.confidence import constant
from builders.chain.evidence import NOTHING, MatrixStack, shared_labels
from builders.chain.published import aces_c, aces_o, b4, srank
from codepref.lots import fraction

Name = Literal[
    "self_validation", "pass_count", "all_pass", "random", "dual_agreement", "output_consensus", "combined",
    "b4", "aces_c", "aces_o", "srank",
]  # fmt: skip
NAMES: tuple[Name, ...] = get_args(Name)
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
    codes, tests = convergence(passed, damping=damping, iterations=iterations, schedule=schedule)
    return codes[-1], tests[-1]


def convergence(
    passed: NDArray[np.bool_], *, damping: float = 0.85, iterations: int = 10, schedule: Schedule = "simultaneous"
) -> tuple[Floats, Floats]:
    """The scores on their way to `self_validation`, whose arguments these are.

    Returns:
        Scores of the codes after 0, 1, ..., T updates, shape (iterations + 1, ..., codes), and of the tests, shape
        (iterations + 1, ..., tests).
    """
    link = np.asarray(passed, dtype=np.float64)
    back = np.swapaxes(link, -1, -2)
    codes, tests = [np.ones(link.shape[:-1])], [np.ones(back.shape[:-1])]
    for _ in range(iterations):
        new_tests = (1 - damping) * tests[-1] + damping * _support(back, codes[-1])
        seen = new_tests if schedule == "tests_first" else tests[-1]
        codes.append((1 - damping) * codes[-1] + damping * _support(link, seen))
        tests.append(new_tests)
    return np.stack(codes), np.stack(tests)


def pass_count(evidence: MatrixStack) -> Floats:
    """Number of tests a code passes."""
    return np.asarray(evidence.passed.sum(axis=2), dtype=np.float64)


def all_pass(evidence: MatrixStack) -> Floats:
    """1 for a code that passes every test, else 0."""
    return np.asarray(evidence.passed.all(axis=2), dtype=np.float64)


def random(code_ids: Sequence[Sequence[str]], seed: int) -> Floats:
    """A number in [0, 1) for every code, shape (prompts, codes), drawn by seed and code id.

    Args:
        code_ids: For every prompt the ids of its codes; equal ids draw equal numbers.
        seed: Another seed draws other numbers.
    """
    return np.array([[fraction(seed, code_id) for code_id in ids] for ids in code_ids])


def dual_agreement(evidence: MatrixStack) -> Floats:
    """CodeT's dual execution agreement (Chen et al., arXiv 2207.10397, as in its public code).

    Codes that pass the same tests form a group; a code's score is sqrt(codes in its group) x tests passed.
    """
    group = (shared_labels(evidence.passed) == evidence.passed.shape[2]).sum(axis=2)
    return np.asarray(np.sqrt(group.astype(np.float64)) * pass_count(evidence))


def output_consensus(evidence: MatrixStack) -> Floats:
    """Number of (other code, test) cells in which the other code computed the same value.

    Never looks at what the tests expect, so a wrong expected value does no harm.
    """
    shared = shared_labels(evidence.outputs, evidence.outputs != NOTHING)
    return np.asarray(shared.sum(axis=2) - np.diagonal(shared, axis1=1, axis2=2), dtype=np.float64)


def combined(evidence: MatrixStack) -> Floats:
    """Agreement on values, squared, times the self-validation score; codes that give one value for all tests lose.

    - Agreement is the share of (code, test) cells in which a code has company, its own cells counting half: right codes
      agree with each other whatever the tests expect, wrong ones often do not (but a shared mistake wins).
    - The self-validation score (best code = 1, plus 0.1 so that wrong tests alone can not rule a code out) decides
      between large groups.
    - Stubs (`return None`, `return []`) agree perfectly with each other: such a code has a tenth of its score.

    The form and its three constants are the pick of many on 40 tasks (`benchmarks/results/label_quality.md`);
    neighbours do as well there.
    """
    codes, tests = evidence.passed.shape[1:]
    agreement = (output_consensus(evidence) + 0.5 * tests) / (codes * tests)
    mutual, _ = self_validation(evidence.passed)
    mutual = mutual / mutual.max(axis=1, keepdims=True)
    return np.asarray(agreement * agreement * (mutual + 0.1) * np.where(constant(evidence), 0.1, 1.0))


SCORES: Mapping[str, Callable[[MatrixStack], Floats]] = {
    "self_validation": lambda evidence: self_validation(evidence.passed)[0],
    "pass_count": pass_count,
    "all_pass": all_pass,
    "dual_agreement": dual_agreement,
    "output_consensus": output_consensus,
    "combined": combined,
    "b4": b4,
    "aces_c": aces_c,
    "aces_o": aces_o,
    "srank": srank,
}
"""Code scores of the rankings that need nothing but the evidence, with the paper's parameters."""


def with_tests(evidence: MatrixStack, codes: Floats) -> tuple[Floats, Floats]:
    """The scores of codes and, for rankings that have none of their own, of tests: the sum over the codes that pass."""
    return codes, _support(np.swapaxes(evidence.passed.astype(np.float64), 1, 2), codes)


def rank(name: Name, evidence: MatrixStack) -> tuple[Floats, Floats]:
    """Scores of the codes, shape (prompts, codes), and of the tests, shape (prompts, tests); not for `random`."""
    if name == "self_validation":
        return self_validation(evidence.passed)
    return with_tests(evidence, SCORES[name](evidence))


def with_examples(evidence: MatrixStack, codes: Floats, tests: Floats) -> tuple[Floats, Floats]:
    """The scores a ranking gives, so that codes that fail an example of their prompt come after those that fail none.

    Where an example decides, codes that fail one have scores from 0 to 1 and the others from 2 to 3, both in the order
    they had, and a test has the sum over the codes that pass it. Elsewhere nothing changes.
    """
    if evidence.examples is None:
        return codes, tests
    lowest, highest = codes.min(axis=1, keepdims=True), codes.max(axis=1, keepdims=True)
    within = (codes - lowest) / np.where(highest > lowest, highest - lowest, 1.0)
    behind = evidence.examples.behind
    moved = np.where(behind, within, within + 2.0)
    decided = behind.any(axis=1, keepdims=True)
    return np.where(decided, moved, codes), np.where(decided, with_tests(evidence, moved)[1], tests)
