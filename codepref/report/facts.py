"""What the quickstart's report shows of a dataset's folder: yields, one prompt's matrix, speed-ups, a repair."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from codepref.errors import CodeprefError
from codepref.inspection import run as inspection
from codepref.inspection.run import Run
from codepref.records import Exclusion
from codepref.store import Stage

BATCH = 256
"""Rows that are in memory at a time."""


@dataclass(frozen=True)
class Yield:
    """How many came, how many are left, and why the others are not."""

    what: str
    came: int
    kept: int
    left_out: tuple[tuple[str, int], ...] = ()
    """Rule and number, most first."""


@dataclass(frozen=True)
class Dataset:
    """A dataset on its way from prompts to pairs."""

    name: str
    """Its folder."""
    title: str
    rows: int
    """Pairs."""
    yields: tuple[Yield, ...]
    missing: str = ""
    """What is not there, in words; empty for a finished dataset."""


@dataclass(frozen=True)
class ShownMatrix:
    """One prompt: its programs and tests, and which passes which."""

    prompt_id: str
    prompt: str
    codes: tuple[str, ...]
    tests: tuple[str, ...]
    passed: tuple[tuple[bool, ...], ...]
    """Row i is program i, column j is test j."""
    code_scores: tuple[float, ...]
    test_scores: tuple[float, ...]
    chosen: int
    rejected: int
    confidence: float
    codes_right: tuple[bool, ...] | None = None
    """What the hidden tests say; None where it is unknown."""
    tests_right: tuple[bool, ...] | None = None


@dataclass(frozen=True)
class ShownPair:
    """A fast and a slow program for one prompt."""

    prompt: str
    chosen: str
    rejected: str
    speedup: float
    chosen_s: float
    rejected_s: float


@dataclass(frozen=True)
class ShownRepair:
    """A failing program, what the model was told, and what it made of it."""

    prompt: str
    before: str
    told: str
    after: str
    round: int
    tests: int
    """Number of tests that `after` passes, which are all."""


def run_if_begun(folder: Path) -> Run | None:
    """The run in a dataset's folder; None where there is none that can be read."""
    try:
        return inspection.read_run(folder)
    except CodeprefError:
        return None


def dataset_rows(run: Run | None, config: str, *columns: str) -> Iterator[dict[str, Any]]:
    """The rows of a finished dataset's config, all columns of them or some.

    Raises:
        CodeprefError: a file is missing or damaged.
    """
    for batch in dataset_batches(run, config, *columns):
        yield from batch.to_pylist()


def dataset_batches(run: Run | None, config: str, *columns: str) -> Iterator[pa.RecordBatch]:
    """The same, a batch at a time; columns that the dataset does not have are left out.

    Raises:
        CodeprefError: a file is missing or damaged.
    """
    if run is None or run.manifest is None or config not in run.manifest["dataset"]:
        return
    for item in run.manifest["dataset"][config]["files"]:
        path = run.root / item["file"]
        try:
            with pq.ParquetFile(path) as file:
                yield from file.iter_batches(BATCH, columns=list(columns) or None)
        except (OSError, pa.ArrowInvalid) as error:
            said = str(error).partition("\n")[0]
            raise CodeprefError(f"{path}: can not be read ({said}); build the dataset again") from None


def shown_dataset(root: Path, name: str, title: str, config: str) -> Dataset:
    """One dataset of a run, as far as it has come."""
    run = run_if_begun(root / name)
    if run is None:
        return Dataset(
            name, title, 0, (), "can not be read" if (root / name / "manifest.json").exists() else "not built"
        )
    stages = [stage for stage in run.stages if stage.done]
    found = [*_pieces(stages), *_cells(stages), *_solved(run), *_pairs(run, stages, config)]
    count = sum(1 for _ in dataset_rows(run, config, "prompt_id"))
    return Dataset(name, title, count, tuple(found), "" if run.state == "finished" else run.state.partition(":")[0])


def _pieces(stages: Sequence[Stage]) -> Iterator[Yield]:
    """Programs and tests: those that are run, and those that are not."""
    for kind, column, what in (("code", "codes", "programs"), ("test", "tests", "tests")):
        last = next(
            (s for s in reversed(stages) if s.name in ("informative_tests", "candidates") and _has(s, column)), None
        )
        if last is not None:
            kept = sum(pc.sum(pc.list_value_length(table[column])).as_py() or 0 for table in _tables(last))
            before = stages[: stages.index(last) + 1]  # what a later stage leaves out was run
            left = _counts((item for stage in before for item in stage.excluded()), kind)
            yield Yield(what, kept + sum(count for _, count in left), kept, left)


def _cells(stages: Sequence[Stage]) -> Iterator[Yield]:
    """Runs of a program on a test: how many pass."""
    stage = next((stage for stage in stages if stage.name == "outcomes"), None)
    if stage is not None:
        verdicts = Counter[str]()
        for table in _tables(stage):
            for item in pc.value_counts(pc.list_flatten(pc.list_flatten(table["verdicts"]))).to_pylist():
                verdicts[item["values"]] += item["counts"]
        passed = verdicts.pop("passed", 0)
        yield Yield("runs that pass", passed + verdicts.total(), passed, tuple(verdicts.most_common()))


def _solved(run: Run) -> Iterator[Yield]:
    """Trajectories that are solved by the first answer, and after each repair."""
    ends = [(row["solved"], len(row["versions"])) for row in dataset_rows(run, "trajectories", "solved", "versions")]
    for number in range(max((length for _, length in ends), default=0)):
        what = "solved at once" if not number else f"after {number} repair{'s' * (number > 1)}"
        yield Yield(what, len(ends), sum(solved and length <= number + 1 for solved, length in ends))


def _pairs(run: Run, stages: Sequence[Stage], config: str) -> Iterator[Yield]:
    """Prompts that give a pair, pairs that stay, and prompts that give an efficiency pair."""
    built = run.manifest["dataset"] if run.manifest else {}
    chain = [stage for stage in stages if stage.name not in ("efficiency", "test_pairs")]
    if config in built and chain:
        excluded = [item for stage in chain for item in stage.excluded()]
        kept = len({row["prompt_id"] for row in dataset_rows(run, config, "prompt_id")})
        yield Yield("prompts with a pair", chain[0].summary()["rows_in"], kept, _counts(excluded, "prompt"))
        left = _counts(excluded, "pair")
        if left:
            yield Yield("pairs", built[config]["rows"] + sum(count for _, count in left), built[config]["rows"], left)
    for stage in stages:
        if stage.name == "efficiency":
            left = _counts(stage.excluded(), "prompt")
            yield Yield("with a speed pair", stage.summary()["rows_in"], stage.summary()["rows_out"], left)


def _has(stage: Stage, column: str) -> bool:
    return all(column in pq.read_schema(path).names for path in stage.shards())


def _tables(stage: Stage) -> Iterator[pa.Table]:
    return (stage.read(index) for index in range(len(stage.shards())))


def _counts(excluded: Iterable[Exclusion], kind: str) -> tuple[tuple[str, int], ...]:
    """Rules by which things of a kind were left out, with their numbers, most first and then by name."""
    counts = Counter(item.rule for item in excluded if item.kind == kind)
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def shown_example(
    folder: Path, prompt_id: str | None, codes_right: list[bool] | None, tests_right: list[bool] | None
) -> ShownMatrix | None:
    """One prompt's matrix with its pair: the one asked for, or else the one of highest confidence; None without pairs.

    Args:
        folder: A CodeDPO dataset.
        prompt_id: Which prompt.
        codes_right: The hidden truth of each row of that prompt's matrix; passed over if the prompt is another.
        tests_right: That of each column.
    """
    run = run_if_begun(folder)
    found = list(dataset_rows(run, "correctness"))
    if run is None or not found:
        return None
    named = [row for row in found if row["prompt_id"] == prompt_id]
    row = named[0] if named else max(found, key=lambda item: (item["confidence"], item["prompt_id"]))
    texts = _texts(run, row["prompt_id"])
    ends = {row["chosen_id"]: row["chosen"], row["rejected_id"]: row["rejected"]}
    return ShownMatrix(
        row["prompt_id"],
        row["prompt"],
        tuple({**texts, **ends}.get(code_id, "") for code_id in row["code_ids"]),
        tuple(row["tests"]),
        tuple(map(tuple, row["matrix"])),
        tuple(0.0 if math.isnan(score) else score for score in row["code_scores"]),  # a cell could not be judged
        tuple(row["test_scores"]),
        row["chosen_index"],
        row["rejected_index"],
        row["confidence"],
        tuple(codes_right) if named and codes_right and len(codes_right) == len(row["code_ids"]) else None,
        tuple(tests_right) if named and tests_right and len(tests_right) == len(row["tests"]) else None,
    )


def _texts(run: Run, prompt_id: str) -> dict[str, str]:
    """Id -> program, of the programs of one prompt; none where the dataset has lost its stages."""
    for stage in run.stages:
        for path in stage.shards() if stage.name == "candidates" else ():
            for row in pq.read_table(path, filters=[("prompt_id", "==", prompt_id)]).to_pylist():
                return {item["code_id"]: item["code"] for item in row["codes"]}
    return {}


def speed(folder: Path) -> tuple[tuple[float, ...], ShownPair | None]:
    """All speed-ups of a CodeDPO dataset, ascending, and the pair in their middle."""
    found = sorted(dataset_rows(run_if_begun(folder), "efficiency"), key=lambda row: (row["speedup"], row["prompt_id"]))
    if not found:
        return (), None
    row = found[len(found) // 2]
    times = (row["speedup"], row["chosen_cpu_s"], row["rejected_cpu_s"])
    return tuple(item["speedup"] for item in found), ShownPair(row["prompt"], row["chosen"], row["rejected"], *times)


def shown_repair(folder: Path) -> ShownRepair | None:
    """The pair of a CodeFlow dataset with the smallest change, as a repair; None without pairs."""
    found = [row for row in dataset_rows(run_if_begun(folder), "pairs") if row["rejected_error"]]
    if not found:
        return None
    row = min(found, key=lambda item: (item["changed_lines"], item["pair_id"]))
    return ShownRepair(
        row["prompt"], row["rejected"], row["rejected_error"], row["chosen"], row["chosen_round"], len(row["tests"])
    )
