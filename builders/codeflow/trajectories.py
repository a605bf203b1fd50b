"""Trajectories: the versions of a program that a model wrote for one prompt, each run on the prompt's tests.

Recorded ones are never trusted: what passes is found out here. A version passes when it passes every test; it fails
when a test says so; one with a cell that the sandbox could not judge, and none that fails, is neither. What follows the
first passing version is cut off.
"""

import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import pyarrow as pa

from builders.chain import decontaminate
from builders.chain.gates import why_uninformative
from builders.chain.matrix import Selection, programs_in, sandbox_of, stub_of, tests_of
from builders.codeflow.feedback import no_program, reports
from codepref import extract
from codepref.records import Exclusion, Sample, Samples, content_id, from_table, to_table
from codepref.sandbox import Job, Limits, Matrix
from codepref.store import Shard

ALL_TESTS = Selection(codes=1, tests=1_000_000)
State = Literal["passed", "failed", "unjudged", "new"]


@dataclass(frozen=True)
class Version:
    """One version of a program."""

    code: Annotated[str, "the program as it was run; the model's answer where there is none in it"]
    round: Annotated[int, "0 for the first answer, n for the n-th repair"]
    problem: Annotated[str, "why there is no program: empty, unparseable, no entry point; else empty"]
    verdicts: Annotated[tuple[str, ...], "one a test; empty where there is no program"]
    error: Annotated[str, "what the model is told: failing test, value or exception, lines; empty if it passes"]
    seed: Annotated[int | None, "sampling seed; null for recordings"]
    prompt_tokens: Annotated[int | None, "tokens of the request, as the server counted them"]
    completion_tokens: Annotated[int | None, "tokens of the answer"]

    @property
    def state(self) -> State:
        """What is known about this version."""
        if self.problem:
            return "failed"
        if not self.verdicts:
            return "new"
        if all(verdict == "passed" for verdict in self.verdicts):
            return "passed"
        return "failed" if set(self.verdicts) - {"passed", "unjudged"} else "unjudged"


@dataclass(frozen=True)
class Trajectory:
    """The version history of one prompt: what the dataset's config `trajectories` holds."""

    prompt: Annotated[str, "the prompt, as the model saw it"]
    prompt_id: Annotated[str, "id of the prompt"]
    trajectory_id: Annotated[str, "id of the trajectory; several trajectories may share a prompt"]
    entry_point: Annotated[str, "name of the function under test; empty for programs that read standard input"]
    tests: Annotated[tuple[str, ...], "all tests, in the order of `verdicts`"]
    solved: Annotated[bool, "whether the last version passes all tests"]
    versions: Annotated[tuple[Version, ...], "every version, first to last, with verdicts and what was said about it"]
    generator: Annotated[str | None, "the model that wrote the versions"]
    source: Annotated[str | None, "where the prompt comes from"]
    licence: Annotated[str | None, "licence of the prompt"]


@dataclass(frozen=True)
class History:
    """A trajectory while it is made; the prompt's id comes first, as in every row that a model is asked about."""

    prompt_id: str
    trajectory_id: str
    prompt: str
    entry_point: str
    tests: tuple[str, ...]
    versions: tuple[Version, ...]
    generator: str | None = None
    source: str | None = None
    licence: str | None = None

    @property
    def state(self) -> State:
        """What is known about the last version."""
        return self.versions[-1].state


@dataclass(frozen=True)
class Running:
    """How versions are run."""

    limits: Limits = Limits()  # noqa: RUF009 - frozen
    python: str = platform.python_version()
    """Version of the interpreter that runs them: another one may give other verdicts."""
    vacuous: bool = True
    """Whether tests that a function returning None passes are left out."""


def begun(_: None, samples: pa.Table) -> Shard:
    """Stage `versions`: programs and tests out of recorded trajectories, none of them run yet.

    Prompts fall under `no tests`, tests under the rules of `builders.chain.matrix`.
    """
    rows, excluded = [], list[Exclusion]()
    for row in from_table(samples, Samples):
        tests, left_out = tests_in(row, "versions")
        excluded += left_out
        if tests:
            versions = tuple(version(row, sample, number) for number, sample in enumerate(row.codes))
            rows.append(history(row, tests, versions))
    return Shard(to_table(rows, History), tuple(excluded))


def tests_in(row: Samples, stage: str) -> tuple[tuple[str, ...], list[Exclusion]]:
    """The distinct tests in a row's answers, and what was left out under the name of a stage."""
    excluded = list[Exclusion]()
    tests = tuple(test.test for test in tests_of(row, ALL_TESTS, excluded))
    if not tests:
        excluded.append(Exclusion(stage, row.prompt_id, "prompt", "no tests"))
    return tests, [replace(item, stage=stage) for item in excluded]


def version(row: Samples | History, sample: Sample, number: int) -> Version:
    """A version out of a model's answer, not run yet. Versions are whole programs, never completions of the prompt."""
    (found,) = programs_in([(sample.text, row.prompt, row.entry_point)])
    if isinstance(found, extract.Extracted) and found.rule.startswith("completion"):
        found = extract.Rejected("no entry point", "a completion of the prompt, no whole program")
    if isinstance(found, extract.Rejected):
        said = no_program(found, row.entry_point)
        return Version(sample.text, number, found.rule, (), said, sample.seed, None, None)
    return Version(found.program, number, "", (), "", sample.seed, None, None)


def history(row: Samples, tests: tuple[str, ...], versions: tuple[Version, ...]) -> History:
    """A trajectory out of a prompt and versions of its program."""
    named = content_id(row.prompt_id, row.generator or "", *(item.code for item in versions))
    return History(
        row.prompt_id, named, row.prompt, row.entry_point, tests, versions, row.generator, row.source, row.licence
    )


def verify_versions(config: Running, table: pa.Table) -> Shard:
    """Stages `run...`: every version that was not run yet, on every test; what fails is told why.

    Versions after the first one that passes are cut off.
    """
    rows = list(from_table(table, History))
    new = [_not_run(row) for row in rows]
    matrices = _run_new(config, rows, new)
    made, failures = list[list[Version]](), list[_Place]()
    for number, (row, places) in enumerate(zip(rows, new, strict=True)):
        versions = list(row.versions)
        for place, cells in zip(places, matrices[number].cells if places else (), strict=True):
            versions[place] = replace(versions[place], verdicts=tuple(cell.verdict for cell in cells))
        last = next((place for place, item in enumerate(versions) if item.state == "passed"), len(versions))
        made.append(versions[: last + 1])
        failed = [place for place in places if place <= last and versions[place].state == "failed"]
        failures += [_Place(number, place) for place in failed]
    asked = []
    for number, place in failures:
        cells = matrices[number].cells[new[number].index(place)]
        asked.append((made[number][place].code, rows[number].tests, cells))
    entry_points = [rows[number].entry_point for number, _ in failures]
    told = reports(sandbox_of(config.limits), asked, entry_points, config.limits)
    for (number, place), text in zip(failures, told, strict=True):
        made[number][place] = replace(made[number][place], error=text)
    done = [replace(row, versions=tuple(versions)) for row, versions in zip(rows, made, strict=True)]
    return Shard(to_table(done, History))


class _Place(NamedTuple):
    """Where a version stands: number of the trajectory, number of the version in it."""

    row: int
    version: int


def _not_run(row: History) -> list[int]:
    """Numbers of the versions that were not run yet."""
    return [place for place, item in enumerate(row.versions) if item.state == "new"]


def _run_new(config: Running, rows: Sequence[History], new: Sequence[Sequence[int]]) -> dict[int, Matrix]:
    """The matrix of the new versions of every trajectory that has some, by the trajectory's number."""
    jobs = []
    for number, (row, places) in enumerate(zip(rows, new, strict=True)):
        if places:
            programs = tuple(row.versions[place].code for place in places)
            jobs.append(Job(str(number), programs, row.tests, row.entry_point))
    matrices = sandbox_of(config.limits).run_many(jobs)
    return {int(matrix.job_id): matrix for matrix in matrices}


def keep_informative(config: Running, table: pa.Table) -> Shard:
    """Stage `informative_tests`: trajectories without tests that tell nothing (rules of `gates.why_uninformative`)."""
    rows = list(from_table(table, History))
    jobs = [Job(row.prompt_id, (stub_of(row.entry_point),), row.tests, row.entry_point) for row in rows]
    kept, excluded = [], list[Exclusion]()
    for row, matrix in zip(rows, sandbox_of(config.limits).run_many(jobs), strict=True):
        tests = []
        for number, (test, cell) in enumerate(zip(row.tests, matrix.cells[0], strict=True)):
            rule = why_uninformative(cell.verdict, config.vacuous)
            if rule:
                excluded.append(Exclusion("informative_tests", row.prompt_id, "test", rule, number, test[:80]))
            else:
                tests.append(test)
        if tests:
            kept.append(replace(row, tests=tuple(tests)))
        else:
            excluded.append(Exclusion("informative_tests", row.prompt_id, "prompt", "no tests"))
    return Shard(to_table(kept, History), tuple(excluded))


def joined(_: None, *tables: pa.Table) -> Shard:
    """Stage `histories`: of each trajectory its last state, from the stages of all rounds in order."""
    last = dict[str, History]()
    for table in tables:
        last.update((row.prompt_id, row) for row in from_table(table, History))
    return Shard(to_table(last.values(), History))


def trajectories(_: None, table: pa.Table) -> Shard:
    """Stage `trajectories`: the rows of the dataset's config of that name."""
    return Shard(to_table(map(_row, from_table(table, History)), Trajectory))


def _row(row: History) -> Trajectory:
    return Trajectory(
        row.prompt,
        row.prompt_id,
        row.trajectory_id,
        row.entry_point,
        row.tests,
        row.state == "passed",
        row.versions,
        row.generator,
        row.source,
        row.licence,
    )


def cumulative(rows: Iterable[History]) -> tuple[int, list[int]]:
    """How many trajectories there are, and how many are solved after round 0, 1, 2, ..."""
    count, solved = 0, list[int]()
    for row in rows:
        count += 1
        last = row.versions[-1].round
        solved += [0] * (last + 1 - len(solved))
        solved[last] += row.state == "passed"
    return count, [sum(solved[: number + 1]) for number in range(len(solved))]


def failing(row: History) -> Sequence[Version]:
    """The versions that fail and are programs."""
    return [item for item in row.versions if item.state == "failed" and not item.problem]


def clean_versions(folder: Path, _: decontaminate.Rule, histories: pa.Table) -> Shard:
    """Stage `clean_versions`: trajectories of which no version holds a benchmark's solution."""
    rows, excluded = list[History](), list[Exclusion]()
    for row in from_table(histories, History):
        hits = [decontaminate.task_index(folder).code(item.code, row.entry_point) for item in row.versions]
        excluded += [
            Exclusion("clean_versions", row.prompt_id, "code", "benchmark code", number, hit)
            for number, hit in enumerate(hits)
            if hit is not None
        ]
        if any(hits):
            excluded.append(Exclusion("clean_versions", row.prompt_id, "prompt", "holds benchmark code"))
        else:
            rows.append(row)
    return Shard(to_table(rows, History), tuple(excluded))
