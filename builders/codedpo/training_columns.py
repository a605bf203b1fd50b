"""Stage `training_columns`: what published trainings ask of a pair besides its two codes, from what was run anyway.

- `semantic_entropy`, `crash_rate` and `chosen_consensus` as Con-DPO has them (arXiv 2603.29292; its code decides where
  the paper is silent): codes behave alike if they give the same outputs on all tests' inputs; the entropy, in bits, is
  that of the shares of behaviours among the codes that give any output; the crash rate is the share of codes that give
  none; consensus is the mean, over inputs, of the share of outputs there that equal the chosen code's.
- `rejected_error_type` as AP2O has it (arXiv 2510.02393): how the rejected code fails the first test it fails.

Codes that the sandbox could not judge are left out of all of it.
"""

import builtins
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import pyarrow as pa

from builders.codedpo.pairs import CodePair
from codepref.records import Outcomes, from_table, to_table
from codepref.sandbox.value import fingerprint
from codepref.store import Shard

EXCEPTIONS = {
    fingerprint(name): name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
}
"""Fingerprint of a cell in which a code raised one of Python's own exceptions -> its name."""
WRONG = "WrongResult"
"""AP2O's name for a code that runs and returns something else."""
LIMITS = {"timeout": "Timeout", "memory": "MemoryLimit", "output": "OutputLimit", "crashed": "Crash"}

Outputs = Sequence[str | None]
"""What a code computed for each test, as fingerprints; None where nothing came back."""


@dataclass(frozen=True)
class ListenedPair(CodePair):
    """A row of the dataset with the columns that trainings listen to."""

    semantic_entropy: Annotated[float, "bits: how unlike the outputs of the prompt's codes are (Con-DPO)"]
    crash_rate: Annotated[float, "share of the prompt's codes that give no output on any test (Con-DPO)"]
    chosen_consensus: Annotated[float, "0 to 1: share of the codes' outputs that equal the chosen code's (Con-DPO)"]
    rejected_error_type: Annotated[str, "how the rejected code fails: WrongResult, or the name of its error (AP2O)"]


def add_training_columns(_: None, pairs: pa.Table, outcomes: pa.Table) -> Shard:
    """Stage `training_columns`: the rows of `pairs`, each with what its prompt's runs say."""
    ran = {row.prompt_id: row for row in from_table(outcomes, Outcomes)}
    rows = []
    for pair in pairs.to_pylist():
        outcome = ran[pair["prompt_id"]]
        outputs = outputs_of(outcome)
        judged = [found for found, line in zip(outputs, outcome.verdicts, strict=True) if "unjudged" not in line]
        entropy, crash_rate = semantic_entropy(judged)
        rejected = pair["rejected_index"]
        more = {
            "semantic_entropy": entropy,
            "crash_rate": crash_rate,
            "chosen_consensus": consensus(outputs[pair["chosen_index"]], judged),
            "rejected_error_type": error_type(outcome.verdicts[rejected], outcome.fingerprints[rejected]),
        }
        rows.append({**pair, **more})
    return Shard(pa.Table.from_pylist(rows, schema=to_table((), ListenedPair).schema))


def outputs_of(outcome: Outcomes) -> list[list[str | None]]:
    """What each code computed for each test."""
    return [[None if found in EXCEPTIONS else found or None for found in line] for line in outcome.fingerprints]


def semantic_entropy(outputs: Sequence[Outputs]) -> tuple[float, float]:
    """Entropy in bits of the behaviours of codes that give any output (0.0 if none does), and the share of others."""
    running = [tuple(line) for line in outputs if any(found is not None for found in line)]
    crash_rate = 1 - len(running) / len(outputs) if outputs else 1.0
    shares = [count / len(running) for count in Counter(running).values()]
    return max(0.0, -sum(share * math.log2(share) for share in shares)), crash_rate


def consensus(chosen: Outputs, outputs: Sequence[Outputs]) -> float:
    """Mean over tests of the share of the codes' outputs that equal the chosen code's; 0 where it gave none."""
    total = 0.0
    for place, mine in enumerate(chosen):
        given = [line[place] for line in outputs if line[place] is not None]
        if mine is not None:
            total += given.count(mine) / len(given)
    return total / len(chosen) if chosen else 0.0


def error_type(verdicts: Sequence[str], fingerprints: Sequence[str]) -> str:
    """How a code fails the first test it fails; `WrongResult` too for one that fails none."""
    for verdict, found in zip(verdicts, fingerprints, strict=True):
        if verdict in LIMITS:
            return LIMITS[verdict]
        if verdict == "failed":
            return EXCEPTIONS.get(found, WRONG)
    return WRONG
