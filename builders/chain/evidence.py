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

    def of(self, prompts: Sequence[int] | slice) -> "MatrixStack":
        """The evidence of some of the prompts."""
        return MatrixStack(self.passed[prompts], self.outputs[prompts])


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
            at = cells[whole]
            yield Group(rows[whole], np.ones(n, dtype=np.bool_), MatrixStack(passed[at], outputs[at]))
        for index in np.flatnonzero(~whole):
            at = cells[[index]][:, kept[index]]
            yield Group(rows[[index]], kept[index], MatrixStack(passed[at], outputs[at]))


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
