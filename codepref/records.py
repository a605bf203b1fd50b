"""One frozen, typed record per stage of the chain, and its Arrow schema.

samples -> candidates -> outcomes -> scores -> pairs

A shard on disk is an Arrow table with one row per record; `schema`, `to_table` and `from_table` translate. All codes
and all tests of a prompt travel in one row, so every stage maps a row to at most one row and prompts never mix.
"""

import dataclasses
import functools
import hashlib
import types
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import pyarrow as pa

Record = TypeVar("Record")


def content_id(*parts: str) -> str:
    """Id of a piece of content: 16 hexadecimal digits of the sha256 of its parts, each preceded by its length."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(data) + data)
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Sample:
    """One answer of a model, as it came."""

    text: str
    seed: int | None = None
    """Sampling seed; None for recordings, whose seeds are unknown."""
    finish_reason: str | None = None


@dataclass(frozen=True)
class Samples:
    """All answers of the model for one prompt."""

    prompt_id: str
    prompt: str
    entry_point: str
    """Name of the function under test; empty for programs that read standard input."""
    codes: tuple[Sample, ...]
    tests: tuple[Sample, ...]
    generator: str | None = None
    source: str | None = None
    """Where the prompt comes from, in words."""
    licence: str | None = None
    examples: tuple[str, ...] = ()
    """Tests that are known to be right, as the prompt's line gives them."""


@dataclass(frozen=True)
class Candidate:
    """A code that can be run: a whole program that defines the entry point."""

    code_id: str
    code: str
    sample: int
    """Position of the sample it was taken from."""
    seed: int | None
    nodes: int
    """Number of nodes of its syntax tree: its length, whatever the layout."""
    rule: str = ""
    """How it was found in the sample (`codepref.extract.Extracted`)."""


@dataclass(frozen=True)
class Test:
    """One independently judged test."""

    __test__ = False  # not a test class, whatever pytest thinks of the name

    test_id: str
    test: str
    """Python, usually a single assert, or the text of a test by input and output (`codepref.stdin`)."""
    sample: int
    seed: int | None


@dataclass(frozen=True)
class Candidates:
    """The codes and tests of one prompt that are run on each other."""

    prompt_id: str
    prompt: str
    entry_point: str
    codes: tuple[Candidate, ...]
    tests: tuple[Test, ...]
    generator: str | None = None
    source: str | None = None
    licence: str | None = None
    examples: tuple[str, ...] = ()
    """Tests that are known to be right: of the prompt's line, and read in its text."""


@dataclass(frozen=True)
class Outcomes:
    """The matrix of one prompt: row i is code i, column j is test j, in the order of `Candidates`."""

    prompt_id: str
    verdicts: tuple[tuple[str, ...], ...]
    """Words of the closed set in `codepref.sandbox.base`."""
    modes: tuple[tuple[str, ...], ...]
    fingerprints: tuple[tuple[str, ...], ...]
    """Hash of the value each code computed for each test; equal values have equal fingerprints."""
    stub: tuple[str, ...] = ()
    """Verdicts of a function that does nothing and returns None: a test that it passes is vacuous."""
    example_verdicts: tuple[tuple[str, ...], ...] = ()
    """Verdicts of the codes on the prompt's examples; no columns where it has none."""


ERROR_CHARACTERS = 200


@dataclass(frozen=True)
class Costs:
    """What was measured while a prompt's matrix ran: kept apart from what a rebuild repeats."""

    prompt_id: str
    cpu_s: tuple[tuple[float, ...], ...]
    """CPU seconds of every cell."""
    layers: tuple[str, ...]
    """Isolation layers that were active."""
    errors: tuple[tuple[str, ...], ...] = ()
    """One line for every cell that did not pass: exception, signal, or why it is unjudged; at most
    `ERROR_CHARACTERS` of it."""


@dataclass(frozen=True)
class Scores:
    """What a ranking says about one prompt's codes and tests."""

    prompt_id: str
    code_scores: tuple[float, ...]
    test_scores: tuple[float, ...]


@dataclass(frozen=True)
class VerdictCounts:
    """Number of cells of one matrix by verdict (the closed set of `codepref.sandbox.base`)."""

    passed: int = 0
    failed: int = 0
    timeout: int = 0
    memory: int = 0
    output: int = 0
    crashed: int = 0
    unjudged: int = 0


@dataclass(frozen=True)
class Exclusion:
    """Something that was left out, and why."""

    stage: str
    prompt_id: str
    kind: Literal["line", "seed", "prompt", "code", "test", "pair"]
    rule: str
    item: int | None = None
    """Position of the code or test sample; line number for `line`; None for a whole prompt."""
    detail: str = ""


_SCALARS = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def _arrow_type(hint: Any) -> tuple[pa.DataType, bool]:
    """Arrow type of a type hint, and whether it may be null."""
    if hint in _SCALARS:
        return _SCALARS[hint], False
    if dataclasses.is_dataclass(hint):
        return pa.struct(list(schema(typing.cast(type, hint)))), False
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return pa.string(), False
    if origin is tuple:
        return pa.list_(_arrow_type(arguments[0])[0]), False
    if origin in (types.UnionType, typing.Union):
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return _arrow_type(inner)[0], True
    raise TypeError(f"no Arrow type for {hint}")


@functools.cache
def schema(record: type) -> pa.Schema:
    """The Arrow schema of a record class, fields in order of definition.

    Raises:
        TypeError: a field's type has no Arrow counterpart.
    """
    hints = typing.get_type_hints(record)
    return pa.schema([pa.field(f.name, _arrow_type(hints[f.name])[0]) for f in dataclasses.fields(record)])


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def to_table(records: Iterable[Any], record: type) -> pa.Table:
    """Rows of one record class as an Arrow table with exactly that class's schema."""
    return pa.Table.from_pylist([_plain(row) for row in records], schema=schema(record))


def _builder(hint: Any) -> Any:
    """A function that makes the value of a type hint from what Arrow gives; None where it is already right."""
    if dataclasses.is_dataclass(hint):
        return functools.partial(_build, hint, _builders(typing.cast(type, hint)))
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        inner = _builder(arguments[0])
        return (lambda items: tuple(map(inner, items))) if inner else tuple
    return None


@functools.cache
def _builders(record: type) -> dict[str, Any]:
    hints = typing.get_type_hints(record)
    return {name: build for name, hint in hints.items() if (build := _builder(hint))}


def _build(record: Any, builders: dict[str, Any], row: dict[str, Any]) -> Any:
    for name, build in builders.items():
        if name in row:  # a field that was added since the table was written has its default
            row[name] = build(row[name])
    return record(**row)


def from_table(table: pa.Table, record: type[Record]) -> Iterator[Record]:
    """The records of a table written by `to_table`."""
    builders = _builders(typing.cast(type, record))
    for batch in table.to_batches(max_chunksize=1024):
        for row in batch.to_pylist():
            yield _build(record, builders, row)
