"""From samples to the pass matrix: which codes and tests are run, and what happened when they were."""

import atexit
import functools
import itertools
import platform
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from builders.chain.ask import Count
from codepref import extract
from codepref.records import (
    ERROR_CHARACTERS,
    Candidate,
    Candidates,
    Costs,
    Exclusion,
    Outcomes,
    Sample,
    Samples,
    Test,
    content_id,
    from_table,
    to_table,
)
from codepref.sandbox import Job, Limits, Matrix, Sandbox
from codepref.store import Shard

STUB = "def {}(*args, **kwargs):\n    return None\n"
SILENT = "pass\n"
"""The program that does nothing."""


@dataclass(frozen=True)
class Selection:
    """Which samples are run: the first usable ones, in the order they were sampled."""

    codes: Count = 15
    tests: Count = 15
    distinct_codes: bool = False
    """Whether a code whose syntax tree was already taken is left out. Off: repeats vote as often as they came."""
    distinct_tests: bool = True
    """Whether a test whose text was already taken is left out: saying it twice is no new evidence."""
    prompt_examples: bool = False
    """Whether examples are read in the prompt (`codepref.extract.prompt_examples`), besides those its line gives."""


@dataclass(frozen=True)
class Execution:
    """How the matrix is run."""

    limits: Limits = Limits()  # noqa: RUF009 - frozen
    python: str = platform.python_version()
    """Version of the interpreter that runs the candidates: another one may give other verdicts."""
    stub: str = STUB
    """Program (with a place for the entry point) whose verdicts show which tests are vacuous."""


def select_candidates(config: Selection, samples: pa.Table) -> Shard:
    """Stage `candidates`: programs and tests out of the raw samples.

    Codes fall under `empty`, `unfinished thought`, `unparseable`, `no entry point`, `no output` or `duplicate`; tests
    under `empty`, `unfinished thought`, `unparseable`, `no assert`, `no call`, `no input and output` or `duplicate`;
    prompts under `fewer than 2 codes` or `no tests`.
    """
    rows, excluded = [], list[Exclusion]()
    inputs = list(from_table(samples, Samples))
    programs = iter(programs_in([(sample.text, row.prompt, row.entry_point) for row in inputs for sample in row.codes]))
    for row in inputs:
        codes = tuple(_codes(row, config, list(itertools.islice(programs, len(row.codes))), excluded))
        tests = tuple(tests_of(row, config, excluded))
        if len(codes) < 2:
            excluded.append(Exclusion("candidates", row.prompt_id, "prompt", "fewer than 2 codes"))
        elif not tests:
            excluded.append(Exclusion("candidates", row.prompt_id, "prompt", "no tests"))
        else:
            head = (row.prompt_id, row.prompt, row.entry_point)
            about = (row.generator, row.source, row.licence)
            rows.append(Candidates(*head, codes, tests, *about, examples_of(row, config.prompt_examples)))
    return Shard(to_table(rows, Candidates), tuple(excluded))


def programs_in(answers: Sequence[tuple[str, str, str]]) -> list[extract.Extracted | extract.Rejected]:
    """The programs in some answers, each given with its prompt and entry point; loaded in the sandbox where need be."""
    return extract.extracted(
        [extract.Answer(*answer) for answer in answers], lambda: sandbox_of(extract.LOADING, "official")
    )


def _codes(
    row: Samples,
    config: Selection,
    found: Sequence[extract.Extracted | extract.Rejected],
    excluded: list[Exclusion],
) -> Iterator[Candidate]:
    seen: set[str] = set()
    for index, (sample, taken) in enumerate(zip(row.codes, found, strict=True)):
        if len(seen) == config.codes:
            return
        if isinstance(taken, extract.Rejected):
            excluded.append(Exclusion("candidates", row.prompt_id, "code", taken.rule, index, taken.detail))
            continue
        program = taken.program
        key = extract.shape(program) if config.distinct_codes else f"{index}"
        if key in seen:
            excluded.append(Exclusion("candidates", row.prompt_id, "code", "duplicate", index))
            continue
        seen.add(key)
        code_id = content_id(row.prompt_id, program)
        yield Candidate(code_id, program, index, sample.seed, extract.node_count(program), taken.rule)


def tests_of(row: Samples, config: Selection, excluded: list[Exclusion]) -> Iterator[Test]:
    """The tests in a row's answers; what can not be used is appended to `excluded`."""
    taken: set[str] = set()
    count = 0
    for index, sample, test in _found_tests(row, excluded):
        if count == config.tests:
            return
        if config.distinct_tests and test in taken:
            excluded.append(Exclusion("candidates", row.prompt_id, "test", "duplicate", index))
            continue
        taken.add(test)
        count += 1
        yield Test(content_id(row.prompt_id, test), test, index, sample.seed)


def examples_of(row: Samples, read: bool) -> tuple[str, ...]:
    """The tests of known truth that come with a prompt: of its line and, where `read`, in its text; each once."""
    in_text = extract.examples(row.prompt, row.entry_point) if read else ()
    return tuple(dict.fromkeys([*row.examples, *in_text]))


def _found_tests(row: Samples, excluded: list[Exclusion]) -> Iterable[tuple[int, Sample, str]]:
    for index, sample in enumerate(row.tests):
        found, rejected = extract.tests(sample.text, row.entry_point)
        excluded += [Exclusion("candidates", row.prompt_id, "test", r.rule, index, r.detail) for r in rejected]
        for test in found:
            yield index, sample, test


@functools.cache
def sandbox_of(
    limits: Limits, mode: Literal["auto", "official"] = "auto", lane: Literal["fast", "code"] = "fast"
) -> Sandbox:
    """One sandbox of a kind a process, not a shard: starting one takes longer than running a shard."""
    sandbox = Sandbox(limits, mode=mode, lane=lane)
    atexit.register(sandbox.close)
    return sandbox


def run_matrices(config: Execution, table: pa.Table) -> Shard:
    """Stage `outcomes`: every code of a prompt run on every test of that prompt and on its examples, in the sandbox.

    A stub that returns None meets the same tests in a job of its own: among the codes it would be evidence that a test
    is quick (`Limits.screen_s`).
    """
    prompts = list(from_table(table, Candidates))
    sandbox = sandbox_of(config.limits)
    matrices = sandbox.run_many([_job(row, _programs(row), row.examples) for row in prompts])
    stubs = sandbox.run_many([_job(row, (stub_of(row.entry_point, config.stub),)) for row in prompts])
    rows, costs = list[Outcomes](), list[Costs]()
    for row, matrix, stub in zip(prompts, matrices, stubs, strict=True):
        verdicts, modes, fingerprints = (_each(matrix, name) for name in ("verdict", "mode", "fingerprint"))
        own = len(row.tests)
        told = tuple(line[own:] for line in verdicts)
        verdicts, modes, fingerprints = (
            tuple(line[:own] for line in cells) for cells in (verdicts, modes, fingerprints)
        )
        rows.append(Outcomes(matrix.job_id, verdicts, modes, fingerprints, _each(stub, "verdict")[0], told))
        costs.append(Costs(matrix.job_id, _each(matrix, "cpu_s"), matrix.layers, _errors(matrix)))
    return Shard(to_table(rows, Outcomes), measured=to_table(costs, Costs))


def stub_of(entry_point: str, stub: str = STUB) -> str:
    """A program that does nothing: what it passes is no test."""
    return stub.format(entry_point) if entry_point else SILENT


def _programs(row: Candidates) -> tuple[str, ...]:
    return tuple(code.code for code in row.codes)


def _job(row: Candidates, codes: tuple[str, ...], examples: tuple[str, ...] = ()) -> Job:
    return Job(row.prompt_id, codes, (*(test.test for test in row.tests), *examples), row.entry_point)


def _errors(matrix: Matrix) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(cell.error[:ERROR_CHARACTERS] for cell in cells) for cells in matrix.cells)


def _each(matrix: Matrix, field: str) -> tuple[tuple[Any, ...], ...]:
    """One field of every cell."""
    return tuple(tuple(getattr(cell, field) for cell in cells) for cells in matrix.cells)
