"""Quality gates: what must not become a row, each with a rule that is counted and written to the exclusions file."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field

from codepref import overlap
from codepref.ondisk import Keys, Texts, first_equal
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
    """Tests that a function returning None passes are not ranked. Tests that check nothing the code returns never are,
    nor are those that can not be run here."""


OPEN = Gates(False, False, None, False)


def keep_unique(runner: Runner, gates: Gates, source: Stage) -> Stage:
    """Stage `unique`: the prompts that name their entry point and say something no earlier one says.

    The result is a function of the order of the prompts alone. Prompts lie on disk while they are compared; 13 bytes of
    each stay in memory.
    """
    if not (gates.entry_point or gates.duplicates or gates.near_duplicates):
        return source
    settings = {"gates": replace(gates, vacuous_tests=False), "input": source.key}
    return runner.source("unique", _unique(gates, source), settings, source.summary()["rows_out"])


def _unique(gates: Gates, source: Stage) -> Iterator[Shard]:
    found = _left_out(gates, source)
    for index in range(source.summary()["shards"]):
        table = source.read(index)
        here = [next(found) for _ in range(table.num_rows)]
        keep = pa.array([item is None for item in here], pa.bool_())
        yield Shard(table.filter(keep), tuple(item for item in here if item is not None))


def _left_out(gates: Gates, source: Stage) -> Iterator[Exclusion | None]:
    """For every prompt why it is left out, or None."""
    total = source.summary()["rows_out"]
    named = np.ones(total, bool)
    with Texts() as ids:
        hashes = _hashes(source, gates.entry_point, named, ids)
        twins = first_equal(hashes, total)
        places = np.flatnonzero(named).astype(np.int32)  # of a group of near-duplicates one must stay: one that can
        signatures = _signatures(source, named) if gates.near_duplicates else ()
        alike = overlap.near_duplicates(signatures, len(places), gates.near_duplicates or 1.0)
        alike_of = iter(alike)
        for n in range(total):
            like = next(alike_of) if named[n] else -1
            if not named[n]:
                yield Exclusion("unique", ids[n], "prompt", "entry point not named")
            elif gates.duplicates and twins[n] >= 0:
                yield Exclusion("unique", ids[n], "prompt", "duplicate", detail=f"of {ids[twins[n]]}")
            elif like >= 0:
                yield Exclusion("unique", ids[n], "prompt", "near-duplicate", detail=f"of {ids[places[like]]}")
            else:
                yield None


def _heads(source: Stage) -> Iterator[list[dict[str, Any]]]:
    for index in range(source.summary()["shards"]):
        yield source.read(index, ["prompt_id", "prompt", "entry_point"]).to_pylist()


def _hashes(source: Stage, entry_point: bool, named: NDArray[np.bool_], ids: Texts) -> Iterator[Keys]:
    """Hashes of the prompts, shard by shard. On the way, ids are kept, and what does not name its entry point is told
    in `named` if that is asked."""
    start = 0
    for rows in _heads(source):
        ids.add(row["prompt_id"] for row in rows)
        if entry_point:
            named[start : start + len(rows)] = [_names_entry_point(row) for row in rows]
        start += len(rows)
        yield _keys(rows, ("prompt", "entry_point"))


def _names_entry_point(row: dict[str, Any]) -> bool:
    """True also where there is none: the prompt of a program that reads standard input."""
    return not row["entry_point"] or re.search(rf"\b{re.escape(row['entry_point'])}\b", row["prompt"]) is not None


def _keys(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> Keys:
    return np.array([_key(row, columns) for row in rows], np.uint64)


def _key(row: dict[str, Any], columns: Sequence[str]) -> int:
    return int(content_id(*(row[column] for column in columns)), 16)


def _signatures(source: Stage, named: NDArray[np.bool_]) -> Iterator[NDArray[np.uint32]]:
    start = 0
    for rows in _heads(source):
        mine = [row for row, wanted in zip(rows, named[start : start + len(rows)], strict=True) if wanted]
        start += len(rows)
        if mine:
            yield np.stack([overlap.signature(overlap.words(row["prompt"], row["entry_point"])) for row in mine])


@dataclass(frozen=True)
class Telling:
    """Which tests are left out besides those that are blind."""

    vacuous: bool = True


def informative_tests(runner: Runner, candidates: Stage, outcomes: Stage, vacuous: bool) -> tuple[Stage, Stage]:
    """Stages `informative_tests` and `informative_runs`: candidates and matrices without tests that tell nothing.

    `vacuous`: tests that a function returning None passes are left out, too.
    """
    rule = Telling(vacuous)
    kept = runner.map("informative_tests", keep_informative_tests, rule, [candidates, outcomes])
    return kept, runner.map("informative_runs", keep_informative_runs, rule, [outcomes])


def keep_informative_tests(config: Telling, candidates: pa.Table, outcomes: pa.Table) -> Shard:
    """Stage `informative_tests`: candidates without tests that tell nothing (rules of `why_uninformative`)."""
    ran = {row.prompt_id: row for row in from_table(outcomes, Outcomes)}
    rows, excluded = [], list[Exclusion]()
    for row in from_table(candidates, Candidates):
        rules = [why_uninformative(verdict, config.vacuous) for verdict in ran[row.prompt_id].stub]
        excluded += [
            Exclusion("informative_tests", row.prompt_id, "test", rule, test.sample, test.test[:80])
            for test, rule in zip(row.tests, rules, strict=True)
            if rule
        ]
        keep = [not rule for rule in rules]
        if any(keep):
            rows.append(replace(row, tests=_columns(row.tests, keep)))
        else:
            excluded.append(Exclusion("informative_tests", row.prompt_id, "prompt", "no tests"))
    return Shard(to_table(rows, Candidates), tuple(excluded))


def keep_informative_runs(config: Telling, outcomes: pa.Table) -> Shard:
    """Stage `informative_runs`: the matrices without the columns of those tests."""
    rows = []
    for row in from_table(outcomes, Outcomes):
        keep = [not why_uninformative(verdict, config.vacuous) for verdict in row.stub]
        if any(keep):
            rows.append(
                replace(
                    row,
                    verdicts=_narrowed(row.verdicts, keep),
                    modes=_narrowed(row.modes, keep),
                    fingerprints=_narrowed(row.fingerprints, keep),
                    stub=_columns(row.stub, keep),
                )
            )
    return Shard(to_table(rows, Outcomes))


def _narrowed(matrix: tuple[tuple[str, ...], ...], keep: Sequence[bool]) -> tuple[tuple[str, ...], ...]:
    return tuple(_columns(row, keep) for row in matrix)


def why_uninformative(stub: str, vacuous: bool) -> str:
    """The rule under which a test is left out, by the verdict of a function that returns None; empty if it is not.

    `blind`: no code is judged by it, as it checks nothing that the code returns or needs what is not installed.
    `vacuous`: nonsense passes it.
    """
    if stub == "unjudged":
        return "blind"
    return "vacuous" if vacuous and stub == "passed" else ""


def _columns(items: tuple[Any, ...], keep: Sequence[bool]) -> tuple[Any, ...]:
    return tuple(item for item, kept in zip(items, keep, strict=True) if kept)


def keep_distinct(
    runner: Runner, name: str, source: Stage, columns: Sequence[str], kind: Literal["pair", "code"]
) -> Stage:
    """The rows of a stage that differ from all earlier ones in some columns (rule `duplicate`).

    4 bytes of each row stay in memory.
    """
    total = source.summary()["rows_out"]
    return runner.source(name, _distinct(name, source, columns, kind), {"columns": columns, "input": source.key}, total)


def _distinct(name: str, source: Stage, columns: Sequence[str], kind: Literal["pair", "code"]) -> Iterator[Shard]:
    shards, total = (source.summary()[key] for key in ("shards", "rows_out"))
    blocks = (_keys(source.read(index, list(columns)).to_pylist(), columns) for index in range(shards))
    first, start = first_equal(blocks, total), 0
    for index in range(shards):
        table = source.read(index)
        keep = pa.array(first[start : start + table.num_rows] < 0)
        start += table.num_rows
        gone = table.select(["prompt_id"]).filter(pc.invert(keep))["prompt_id"].to_pylist()
        yield Shard(table.filter(keep), tuple(Exclusion(name, item, kind, "duplicate") for item in gone))
