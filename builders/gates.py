"""Quality gates: what must not become a row, each with a rule that is counted and written to the exclusions file."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from codepref import overlap
from codepref.records import Candidates, Exclusion, Outcomes, content_id, from_table, to_table
from codepref.stages import Runner
from codepref.store import Shard, Stage


@dataclass(frozen=True)
class Gates:
    """Which gates are shut. Decontamination is apart (`decontaminate`), because it needs the benchmarks."""

    entry_point: bool = True
    """Prompts that do not name their entry point are left out: what they ask for can not be known from them."""
    duplicates: bool = True
    """Prompts equal to an earlier one, entry point included, are left out. Always shut for tasks made of seeds."""
    near_duplicates: Annotated[float, Field(gt=0, le=1)] | None = 0.7
    """Prompts whose word triples overlap this much (Jaccard, by MinHash) with an earlier one's are left out; null: off
    (for scale: of the first 400 MBPP tasks 4.8 % have such a neighbour, of the 164 of HumanEval 1.2 %)."""
    vacuous_tests: bool = True
    """Tests that a function returning None passes are not ranked."""


OPEN = Gates(False, False, None, False)


def unique(runner: Runner, gates: Gates, source: Stage) -> Stage:
    """Stage `unique`: the prompts that name their entry point and say something no earlier one says.

    One function sees all rows, one shard at a time; memory grows by 1.6 KB a prompt (measured with 100,000). The
    result is a function of the order of the prompts alone.
    """
    if not (gates.entry_point or gates.duplicates or gates.near_duplicates):
        return source
    settings = {"gates": replace(gates, vacuous_tests=False), "input": source.key}
    total = sum(source.rows(index) for index in range(len(source.shards())))
    return runner.source("unique", _unique(gates, source), settings, total)


def _unique(gates: Gates, source: Stage) -> Iterator[Shard]:
    found = _left_out(gates, source)
    for index in range(len(source.shards())):
        table = source.read(index)
        here = [next(found) for _ in range(table.num_rows)]
        keep = pa.array([item is None for item in here], pa.bool_())
        yield Shard(table.filter(keep), tuple(item for item in here if item is not None))


def _left_out(gates: Gates, source: Stage) -> Iterator[Exclusion | None]:
    """For every prompt why it is left out, or None."""
    total = sum(source.rows(index) for index in range(len(source.shards())))
    ids, hashes, named = list[str](), list[str](), np.ones(total, bool)
    signatures = np.zeros((total if gates.near_duplicates else 0, overlap.SIGNATURE), np.uint32)
    for n, row in enumerate(_heads(source)):
        prompt, entry_point = row["prompt"], row["entry_point"]
        ids.append(row["prompt_id"])
        hashes.append(content_id(prompt, entry_point))
        if gates.entry_point:
            named[n] = re.search(rf"\b{re.escape(entry_point)}\b", prompt) is not None
        if gates.near_duplicates:
            signatures[n] = overlap.signature(overlap.words(prompt, entry_point))
    none = np.full(total, -1, np.int64)
    twins = _equal(hashes) if gates.duplicates else none
    alike = _alike(signatures, named, gates.near_duplicates) if gates.near_duplicates else none
    for n, prompt_id in enumerate(ids):
        if not named[n]:
            yield Exclusion("unique", prompt_id, "prompt", "entry point not named")
        elif twins[n] >= 0:
            yield Exclusion("unique", prompt_id, "prompt", "duplicate", detail=f"of {ids[twins[n]]}")
        elif alike[n] >= 0:
            yield Exclusion("unique", prompt_id, "prompt", "near-duplicate", detail=f"of {ids[alike[n]]}")
        else:
            yield None


def _heads(source: Stage) -> Iterator[dict[str, Any]]:
    for index in range(len(source.shards())):
        yield from source.read(index).select(["prompt_id", "prompt", "entry_point"]).to_pylist()


def _equal(hashes: list[str]) -> NDArray[np.int64]:
    """For every item the position of the first equal one before it, or -1."""
    first: dict[str, int] = {}
    return np.array([at if (at := first.setdefault(key, n)) < n else -1 for n, key in enumerate(hashes)], np.int64)


def _alike(signatures: NDArray[np.uint32], named: NDArray[np.bool_], threshold: float) -> NDArray[np.int64]:
    """Near-duplicates among the prompts that another gate does not leave out: of a group, one must stay."""
    places = np.flatnonzero(named)
    found = overlap.near_duplicates(signatures[named], threshold)
    alike = np.full(len(signatures), -1, np.int64)
    alike[places[found >= 0]] = places[found[found >= 0]]
    return alike


def telling(runner: Runner, candidates: Stage, outcomes: Stage) -> tuple[Stage, Stage]:
    """Stages `telling` and `telling_runs`: candidates and matrices without the tests that tell nothing."""
    kept = runner.map("telling", telling_tests, None, [candidates, outcomes])
    return kept, runner.map("telling_runs", telling_outcomes, None, [outcomes])


def telling_tests(_: None, candidates: pa.Table, outcomes: pa.Table) -> Shard:
    """Stage `telling`: candidates without the tests that a function returning None passes (rule `vacuous`)."""
    ran = {row.prompt_id: row for row in from_table(outcomes, Outcomes)}
    rows, excluded = [], list[Exclusion]()
    for row in from_table(candidates, Candidates):
        keep = _telling(ran[row.prompt_id])
        excluded += [
            Exclusion("telling", row.prompt_id, "test", "vacuous", test.sample, test.test[:80])
            for test, kept in zip(row.tests, keep, strict=True)
            if not kept
        ]
        if keep.any():
            rows.append(replace(row, tests=_columns(row.tests, keep)))
        else:
            excluded.append(Exclusion("telling", row.prompt_id, "prompt", "no tests"))
    return Shard(to_table(rows, Candidates), tuple(excluded))


def telling_outcomes(_: None, outcomes: pa.Table) -> Shard:
    """Stage `telling_runs`: the matrices without the columns of those tests."""
    rows = []
    for row in from_table(outcomes, Outcomes):
        keep = _telling(row)
        if keep.any():
            verdicts, modes, prints = (
                tuple(_columns(cells, keep) for cells in matrix)
                for matrix in (row.verdicts, row.modes, row.fingerprints)
            )
            rows.append(Outcomes(row.prompt_id, verdicts, modes, prints, _columns(row.stub, keep)))
    return Shard(to_table(rows, Outcomes))


def _telling(row: Outcomes) -> NDArray[np.bool_]:
    return np.array([verdict != "passed" for verdict in row.stub], bool)


def _columns(items: tuple[Any, ...], keep: NDArray[np.bool_]) -> tuple[Any, ...]:
    return tuple(item for item, kept in zip(items, keep, strict=True) if kept)


def timing_evidence(row: Outcomes) -> tuple[bool, ...]:
    """Which tests of a matrix may speak about running time: some code fails them, and so does a stub returning None.

    A test that every code passes may ask for nothing (its input is trivial, or the expected value is what any code
    gives); it stays in the ranking, where it favours nobody, but the time it takes is no evidence.
    """
    passed = np.array(row.verdicts) == "passed"
    return tuple(bool(item) for item in _telling(row) & ~passed.all(axis=0))


def distinct(runner: Runner, name: str, source: Stage, columns: Sequence[str], kind: Literal["pair", "code"]) -> Stage:
    """The rows of a stage that differ from all earlier ones in some columns (rule `duplicate`)."""
    total = sum(source.rows(index) for index in range(len(source.shards())))
    return runner.source(name, _distinct(name, source, columns, kind), {"columns": columns, "input": source.key}, total)


def _distinct(name: str, source: Stage, columns: Sequence[str], kind: Literal["pair", "code"]) -> Iterator[Shard]:
    seen = set[str]()
    for index in range(len(source.shards())):
        table = source.read(index)
        keep, excluded = list[bool](), list[Exclusion]()
        values = table.select(["prompt_id", *columns]).to_pylist()
        for row in values:
            key = content_id(*(row[column] for column in columns))
            keep.append(key not in seen)
            seen.add(key)
            if not keep[-1]:
                excluded.append(Exclusion(name, row["prompt_id"], kind, "duplicate"))
        yield Shard(table.filter(pa.array(keep, pa.bool_())), tuple(excluded))
