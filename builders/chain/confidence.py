"""How likely a pair is right, without truth: one measure for every ranking, model and number of codes and tests.

Whether a pair is right (chosen right and rejected wrong) is hidden. Two things say something about it:

- The pair's evidence in its matrix, `features`. How much each of them tells was learnt once, from four models' samples
  whose truth is known (`benchmarks/label_confidence.py`): `WEIGHTS`.
- The run it is in. On easy prompts most pairs are right, on hard ones few are, with the same evidence. How many of a
  run's pairs are right is found from the run itself (`right_share`): expectation maximisation over the hidden truth of
  all its pairs (Saerens, Latinne and Decaestecker 2002), held back by some pairs of those the weights were learnt on
  (`HELD_BACK`). A run of a few prompts thus keeps the learnt share, a large one finds its own.

The share is a function of the run's pairs, whatever their order: shards, workers and interruptions do not change it.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from builders.chain.evidence import NOTHING, MatrixStack, shared_labels

Floats = NDArray[np.float64]
EXAMPLE_FEATURES = ("told_apart", "chosen_fails")
FEATURES = (
    *("share", "agreement", "alike", "rival", "constant", "passes", "rival_passes", "rejected_passes"),
    *EXAMPLE_FEATURES,
)
"""What confidence looks at. A group is all codes with the same output on every test.

share: logarithm of the share of the codes that are in the chosen code's group;
agreement: share of all (code, code, test) in which both codes gave a value, the same;
alike: share of the tests on which chosen and rejected gave the same value;
rival: share of the codes that are in the largest other group;
constant: 1 where the chosen code gave no two different values;
passes, rejected_passes: share of the tests that the chosen and the rejected code pass;
rival_passes: the largest such share among the codes of other groups;
told_apart: 1 where the chosen code passes all examples of the prompt and the rejected one fails one of them;
chosen_fails: 1 where the chosen code fails an example. Without examples both are 0.
"""
# An intercept, then a weight for each of FEATURES: a logistic model of "chosen right and rejected wrong", printed by
#   python -m benchmarks.label_confidence codegen=... gpt=... tiny=... qwen=...
# Those of EXAMPLE_FEATURES were learnt apart, with the others as they are, where samples come with examples.
WEIGHTS = (-0.117, 1.022, 2.2, -0.646, 0.677, -1.056, 1.335, -1.247, -1.233, 1.391, -1.111)
LEARNT_SHARE = 0.528
"""Share of the pairs that are right where the weights were learnt, every source and every task counting the same."""
HELD_BACK, HELD_BACK_PART = 20, 0.08
"""How many pairs with the learnt share a run's own pairs are weighed against: so many, or this part of the run's own
where that is more. Pairs whose evidence is all alike would else drive the share of a large run to nothing or to one."""
ROUNDS = 100
SAMPLED = 2000
"""Prompts of a run that are looked at for its share of right pairs, at most."""


def features(evidence: MatrixStack, chosen: NDArray[np.int64], rejected: NDArray[np.int64]) -> Floats:
    """`FEATURES` of one pair a prompt, shape (prompts, 10); `chosen` and `rejected` are rows, shape (prompts,)."""
    at = np.arange(len(chosen))
    codes, tests = evidence.passed.shape[1:]
    own, other = evidence.outputs[at, chosen], evidence.outputs[at, rejected]
    grouped = shared_labels(evidence.outputs) == tests
    group_size = grouped.sum(axis=2)
    same_value = shared_labels(evidence.outputs, evidence.outputs != NOTHING)
    passes = evidence.passed.sum(axis=2)
    in_group = grouped[at, chosen]
    columns = (
        np.log(group_size[at, chosen] / codes),
        same_value.sum(axis=(1, 2)) / (codes * codes * tests),
        ((own == other) & (own != NOTHING)).sum(axis=1) / tests,
        np.where(in_group, 0, group_size).max(axis=1) / codes,
        constant(evidence)[at, chosen].astype(np.float64),
        passes[at, chosen] / tests,
        np.where(in_group, 0, passes).max(axis=1) / tests,
        passes[at, rejected] / tests,
        *_of_examples(evidence, chosen, rejected),
    )
    return np.stack(columns, axis=1)


def _of_examples(
    evidence: MatrixStack, chosen: NDArray[np.int64], rejected: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """`EXAMPLE_FEATURES`, each of shape (prompts,)."""
    at = np.arange(len(chosen))
    failed = np.zeros(evidence.passed.shape[:2], bool) if evidence.examples is None else evidence.examples.failed
    told_apart = ~failed[at, chosen] & failed[at, rejected]
    return told_apart.astype(np.float64), failed[at, chosen].astype(np.float64)


def constant(evidence: MatrixStack) -> NDArray[np.bool_]:
    """Whether a code computed no two different values over all tests, shape (prompts, codes)."""
    lowest = np.where(evidence.outputs == NOTHING, np.iinfo(np.int64).max, evidence.outputs).min(axis=2)
    return np.asarray(lowest >= evidence.outputs.max(axis=2))


def log_odds(found: Floats) -> Floats:
    """What the evidence alone says, from `features`: the log odds of a right pair where `LEARNT_SHARE` are right."""
    intercept, *weights = WEIGHTS
    total = np.full(len(found), intercept)
    for weight, feature in zip(weights, found.T, strict=True):
        total += weight * feature
    return total


def right_share(parts: Iterable[Floats], learnt_share: float = LEARNT_SHARE) -> float:
    """The share of right pairs of a run, by expectation maximisation; three decimals, the same on every machine.

    Args:
        parts: `log_odds` of the run's pairs, in any order and in any pieces.
        learnt_share: Share of right pairs for which the log odds hold.
    """
    found = np.sort(np.round(np.concatenate([np.empty(0), *parts]), 6))
    share, held_back = learnt_share, max(HELD_BACK, HELD_BACK_PART * len(found))
    for _ in range(ROUNDS):
        expected = _probability(found, share, learnt_share).sum()
        share = float((expected + held_back * learnt_share) / (len(found) + held_back))
    return round(min(max(share, 0.001), 0.999), 3)


def probability(log_odds_of_pairs: Floats, share: float, learnt_share: float = LEARNT_SHARE) -> Floats:
    """The probability of each pair to be right in a run with this share of right pairs.

    Six decimals, so that it is the same on every machine.
    """
    return np.asarray(np.round(_probability(log_odds_of_pairs, share, learnt_share), 6))


def _probability(found: Floats, share: float, learnt_share: float) -> Floats:
    """Log odds moved from one share of right pairs to another, as probabilities (Bayes' rule)."""
    shift = np.log(share / (1 - share)) - np.log(learnt_share / (1 - learnt_share))
    return np.asarray(1.0 / (1.0 + np.exp(-found - shift)))


def sampling_step(prompts: int) -> int:
    """How many prompts apart those are that a run of this size is judged by: 1 in a small run."""
    return max(1, -(-prompts // SAMPLED))
