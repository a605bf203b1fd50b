"""What only the tiny family can say: which of a model's programs, tests and pairs are right.

Every task brings hidden tests and a reference, so what a dataset is worth can be measured before anything is trained on
it. A ranking needs tests that are right often enough; where they are not, training on its pairs has nothing to teach.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from codepref.generate.tiny.tasks import read_task
from codepref.inspection import run as inspection
from codepref.intervals import Interval, bootstrap
from codepref.store import Stage
from evaluation.tiny import ragged, right

LOOKED_AT = 120
"""Prompts of a run whose programs are judged, at most."""
WEAK_AUC, WEAK_TESTS = 0.65, 0.25
"""Below one of these a base is called too weak: one with an AUC of 0.60 and 28 % of its tests right gained nothing,
three with 0.81 and 53 % or more did (benchmarks/results/method_table.md). In between nothing was measured."""


@dataclass(frozen=True)
class Evidence:
    """What a CodeDPO run has to rank with."""

    prompts: int
    codes_right: Interval
    tests_right: Interval
    tests_dead: float
    """Share of the tests that no program passes."""
    auc: float
    """Probability that a right program scores higher than a wrong one of its prompt."""

    @property
    def weak(self) -> bool:
        """Whether training on such pairs is unlikely to gain."""
        return self.auc < WEAK_AUC or self.tests_right[0] < WEAK_TESTS

    @property
    def words(self) -> str:
        """The evidence in a line for people."""
        line = (
            f"{self.codes_right[0]:.0%} of the programs and {self.tests_right[0]:.0%} of the tests are right; a right "
            f"program outranks a wrong one in {self.auc:.0%} of the cases"
        )
        return f"{line}: too weak a base, do not expect a gain" if self.weak else line


def evidence_of(run: Path) -> Evidence:
    """The evidence of a finished CodeDPO run on prompts of the family.

    Raises:
        CodeprefError: it is none, or not finished.
        NotOfTheFamily: it has prompts of another kind.
    """
    found = inspection.read_run(run)
    ready, ran, ranked = (_rows(stage) for stage in found.inputs(found.stage("pairs")))
    names = list(ready)[:LOOKED_AT]
    prompts = [ready[name]["prompt"] for name in names]
    codes = [[item["code"] for item in ready[name]["codes"]] for name in names]
    tests = [[item["test"] for item in ready[name]["tests"]] for name in names]
    truth = right(list(zip(prompts, codes, strict=True)))
    valid = ragged([([read_task(prompt).reference], some) for prompt, some in zip(prompts, tests, strict=True)])
    passed = [np.array(ran[name]["verdicts"]) == "passed" for name in names]
    areas = [
        area(np.array(ranked[name]["code_scores"], dtype=float), mine)
        for name, mine in zip(names, truth, strict=True)
        if name in ranked and mine.any() and not mine.all()
    ]
    return Evidence(
        len(names),
        bootstrap([mine.mean() for mine in truth]),
        bootstrap([row.mean() for row in valid if row.size]),
        float(np.mean(np.concatenate([~matrix.any(0) for matrix in passed if matrix.size]))),
        float(np.mean(areas)) if areas else 0.5,
    )


def _rows(stage: Stage) -> dict[str, dict[str, Any]]:
    """The first row of every prompt."""
    tables = (stage.read(index) for index in range(len(stage.shards())))
    found: dict[str, dict[str, Any]] = {}
    for table in tables:
        for row in table.to_pylist():
            found.setdefault(row["prompt_id"], row)
    return found


@dataclass(frozen=True)
class Labels:
    """How often the pairs of a dataset are right."""

    pairs: int
    right: Interval
    """Chosen passes all hidden tests of its task, rejected does not."""
    inverted: float
    """The other way round."""


def label_truth(pairs: Iterable[Mapping[str, str]]) -> Labels:
    """The truth of pairs with `prompt`, `chosen` and `rejected`, all of them programs for tasks of the family."""
    listed = list(pairs)
    both = right([(row["prompt"], [row["chosen"], row["rejected"]]) for row in listed])
    truth = np.array(both, dtype=bool).reshape(-1, 2)
    chosen, rejected = truth[:, 0], truth[:, 1]
    return Labels(len(listed), bootstrap(chosen & ~rejected), float((rejected & ~chosen).mean()) if listed else 0.0)


def area(scores: np.ndarray, truth: np.ndarray) -> float:
    """AUC: the probability that a right program (`truth`) scores higher than a wrong one; scores may be NaN."""
    kept = ~np.isnan(scores)
    gaps = scores[kept & truth][:, None] - scores[kept & ~truth][None, :]
    return float((gaps > 0).mean() + (gaps == 0).mean() / 2) if gaps.size else 0.5


@dataclass(frozen=True)
class Example:
    """One prompt of a CodeDPO run to show, and the truth of its programs and tests, in the order of the matrix."""

    prompt_id: str
    passed: np.ndarray
    """(programs, tests) bool"""
    codes_right: tuple[bool, ...]
    tests_right: tuple[bool, ...]


def mixed_example(run: Path) -> Example | None:
    """Of the first prompts, one whose pair is right and whose programs and tests are most mixed; None without.

    Raises:
        CodeprefError: the run is not finished.
    """
    found = inspection.read_run(run)
    pairs = found.stage("pairs")
    first = _rows(pairs)
    ready = _rows(found.inputs(pairs)[0])
    names = list(first)[: LOOKED_AT // 2]
    work = [(first[name]["prompt"], [code["code"] for code in ready[name]["codes"]]) for name in names]
    valid = ragged([([read_task(first[name]["prompt"]).reference], first[name]["tests"]) for name in names])
    best: tuple[float, Example] | None = None
    for name, codes, tests in zip(names, right(work), valid, strict=True):
        row = first[name]
        if not codes[row["chosen_index"]] or codes[row["rejected_index"]]:
            continue
        patterns = len({tuple(line) for line in row["matrix"]})
        mixed = patterns * min(codes.mean(), 1 - codes.mean()) * min(tests.mean(), 1 - tests.mean())
        shown = Example(name, np.array(row["matrix"]), tuple(codes.tolist()), tuple(tests[0].tolist()))
        if best is None or mixed > best[0]:
            best = mixed, shown
    return best and best[1]
