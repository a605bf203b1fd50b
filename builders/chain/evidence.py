"""What a ranking looks at: the matrices of prompts of one shape as arrays, read from the `outcomes` stage at once.

Records are for people; 100,000 matrices of 15 x 15 are 22 million cells, so the Arrow columns are read directly.
"""

import builtins
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from codepref.sandbox.value import fingerprint

EXCEPTIONS = frozenset(
    fingerprint(name)
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
)
"""Fingerprints of cells in which the candidate raised one of Python's own exceptions."""
NOTHING = -1
"""Label of an output that is no value: an exception, a limit, a crash."""


@dataclass(frozen=True)
class MatrixStack:
    """What happened when codes met tests; all arrays have shape (prompts, codes, tests)."""

    passed: NDArray[np.bool_]
    outputs: NDArray[np.int64]
    """Labels of the values that were computed: equal values have equal labels; `NOTHING` where there is no value."""
    examples: "ExampleStack | None" = None
    """What the prompts' examples say; None where none has any."""

    def of(self, prompts: Sequence[int] | NDArray[np.int64] | slice) -> "MatrixStack":
        """The evidence of some of the prompts."""
        examples = self.examples and ExampleStack(self.examples.failed[prompts], self.examples.behind[prompts])
        return MatrixStack(self.passed[prompts], self.outputs[prompts], examples)


@dataclass(frozen=True)
class ExampleStack:
    """What examples, tests of known truth, say of codes; both arrays have shape (prompts, codes)."""

    failed: NDArray[np.bool_]
    """Codes that fail an example."""
    behind: NDArray[np.bool_]
    """Codes that come after the other ones of their prompt, since they fail an example and the others none."""


def read_examples(passed: NDArray[np.bool_], judged: NDArray[np.bool_]) -> ExampleStack:
    """What the examples of prompts say.

    An example that no code passes may be wrong, or read wrongly: no code comes after another for it. Where every code
    fails one that another code passes, examples contradict each other or no code is right, and none comes after another
    either. An example with a cell that was not judged says nothing at all.

    Args:
        passed: Whether code i passes example k, shape (prompts, codes, examples).
        judged: Whether that is known.
    """
    fails = ~passed & np.all(judged, axis=1, keepdims=True)
    failed = np.any(fails, axis=2)
    falls_back = np.any(fails & np.any(passed, axis=1, keepdims=True), axis=2)
    return ExampleStack(failed, falls_back & ~np.all(falls_back, axis=1, keepdims=True))


def shared_labels(labels: NDArray[np.generic], counted: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
    """Number of tests for which two codes have the same label, shape (prompts, codes, codes).

    Args:
        labels: Shape (prompts, codes, tests).
        counted: Cells that count, same shape; all by default.
    """
    prompts, codes, tests = labels.shape
    shared = np.zeros((prompts, codes, codes), dtype=np.int64)
    for j in range(tests):
        same = labels[:, :, None, j] == labels[:, None, :, j]
        shared += same if counted is None else same & counted[:, :, None, j]
    return shared


@dataclass(frozen=True)
class Group:
    """Prompts of one shape out of a table of outcomes."""

    rows: NDArray[np.int64]
    """Their rows in the table, shape (prompts,)."""
    kept: NDArray[np.bool_]
    """Which codes have no unjudged cell, shape (codes of the table,); the same for all prompts of the group."""
    evidence: MatrixStack
    """Of the kept codes, in the order of the table."""


def read_stacks(outcomes: pa.Table) -> Iterator[Group]:
    """Prompts grouped by shape; codes with an unjudged cell are left out. Every prompt is in exactly one group.

    Args:
        outcomes: Rows of `codepref.records.Outcomes`.
    """
    verdicts, first, codes, tests = _cells(outcomes, "verdicts")
    prints, *_ = _cells(outcomes, "fingerprints")
    passed, unjudged = _equal(verdicts, {"passed"}), _equal(verdicts, {"unjudged"})
    outputs = np.asarray(prints.indices, dtype=np.int64)
    outputs = np.where(_equal(prints, EXCEPTIONS | {""}), NOTHING, outputs)
    for n, m in sorted(set(zip(codes.tolist(), tests.tolist(), strict=True))):
        rows = np.flatnonzero((codes == n) & (tests == m))
        cells = (first[rows, None] + np.arange(n * m)).reshape(-1, n, m)
        kept: NDArray[np.bool_] = np.logical_not(unjudged[cells].any(axis=2))
        whole: NDArray[np.bool_] = np.asarray(kept.all(axis=1))
        if whole.any():
            every = np.ones(n, dtype=np.bool_)
            yield _group(outcomes, rows[whole], every, passed[cells[whole]], outputs[cells[whole]])
        for index in np.flatnonzero(~whole):
            at = cells[[index]][:, kept[index]]
            yield _group(outcomes, rows[[index]], kept[index], passed[at], outputs[at])


def _group(
    outcomes: pa.Table,
    rows: NDArray[np.int64],
    kept: NDArray[np.bool_],
    passed: NDArray[np.bool_],
    outputs: NDArray[np.int64],
) -> Group:
    return Group(rows, kept, MatrixStack(passed, outputs, _examples(outcomes, rows, kept)))


def _examples(outcomes: pa.Table, rows: NDArray[np.int64], kept: NDArray[np.bool_]) -> ExampleStack | None:
    """What the examples of these prompts say of their kept codes, if there are any."""
    if "example_verdicts" not in outcomes.column_names:
        return None
    found = ExampleStack(*(np.zeros((len(rows), int(kept.sum())), dtype=np.bool_) for _ in range(2)))
    told = False
    for place, lines in enumerate(outcomes.column("example_verdicts").take(rows).to_pylist()):
        if lines and lines[0]:
            verdicts = np.array(lines)[kept][None]
            one = read_examples(verdicts == "passed", verdicts != "unjudged")
            found.failed[place], found.behind[place] = one.failed[0], one.behind[0]
            told = True
    return found if told else None


def _cells(
    outcomes: pa.Table, column: str
) -> tuple[pa.DictionaryArray, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """All cells of a column in a row, each prompt's first cell, number of codes and number of tests."""
    matrices = outcomes.column(column).combine_chunks()
    if isinstance(matrices, pa.ChunkedArray):
        matrices = matrices.chunk(0) if matrices.num_chunks else pa.array([], matrices.type)
    lines = matrices.flatten()
    starts = np.concatenate([[0], np.cumsum(np.asarray(matrices.value_lengths(), dtype=np.int64))])
    widths = np.asarray(lines.value_lengths(), dtype=np.int64)
    codes = np.diff(starts)
    first_cell = np.concatenate([[0], np.cumsum(widths)])[starts[:-1]]
    tests = np.where(codes > 0, np.append(widths, 0)[starts[:-1]], 0)
    return lines.flatten().dictionary_encode(), first_cell, codes, tests


def _equal(cells: pa.DictionaryArray, words: frozenset[str] | set[str]) -> NDArray[np.bool_]:
    among = np.array([word in words for word in cells.dictionary.to_pylist()], dtype=np.bool_)
    return among[np.asarray(cells.indices)] if len(among) else np.zeros(len(cells), dtype=np.bool_)
