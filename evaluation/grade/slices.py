"""Grading by many tests: a few tests at a time, and a program that has failed one is run on no further ones.

Contests have dozens of tests of some seconds each: a program that is too slow would be run through all of them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from codepref.sandbox import Cell, Job, Limits, Matrix, execute
from evaluation.benchmark import Graded, Problem, Settings, Work
from evaluation.grade.asserts import PATIENT_S, decided, was_kept_waiting

SLICE = 8
"""Tests that a program is run on at once."""
PROBLEMS = 4
"""Problems a worker whose tests are in memory together."""

Tests = Callable[[Problem], Sequence[str]]
"""The tests of a problem: asserts, or tests by input and output."""


def grade_in_slices(work: Work, tests_of: Tests, limits: Limits, settings: Settings) -> Iterator[list[Graded]]:
    """Verdicts on programs, problem by problem, in order; the first test that is not passed decides."""
    left = iter(work)
    while batch := list(islice(left, PROBLEMS * settings.workers)):
        tests = [tests_of(problem) for problem, _ in batch]
        seen = [_unseen(programs) for _, programs in batch]
        for start in range(0, max(map(len, tests)), SLICE):
            _run_slice(seen, [some[start : start + SLICE] for some in tests], limits, settings)
        for (_, programs), cells in zip(batch, seen, strict=True):
            yield [decided(cells[program]) for program in programs]


def _unseen(programs: Sequence[str]) -> dict[str, list[Cell]]:
    return {program: [] for program in programs}


def _passes(cells: Sequence[Cell]) -> bool:
    return all(cell.verdict == "passed" for cell in cells)


def _run_slice(
    seen: Sequence[dict[str, list[Cell]]], tests: Sequence[Sequence[str]], limits: Limits, settings: Settings
) -> None:
    """Runs the programs that have passed so far on these tests of their problem, and adds their cells."""
    jobs = []
    for place, (cells, some) in enumerate(zip(seen, tests, strict=True)):
        passing = [program for program, row in cells.items() if _passes(row)]
        if passing and some:
            jobs.append(Job(str(place), tuple(passing), tuple(some)))
    for job, matrix in zip(jobs, _executed(jobs, limits, settings), strict=True):
        rows = matrix.cells
        if any(was_kept_waiting(cell) for row in rows for cell in row):
            patient = replace(limits, wall_s=PATIENT_S)
            rows = next(_executed([job], patient, replace(settings, workers=1))).cells
        for program, row in zip(job.codes, rows, strict=True):
            seen[int(job.job_id)][program] += row


def _executed(jobs: Sequence[Job], limits: Limits, settings: Settings) -> Iterator[Matrix]:
    return execute(
        jobs, limits, workers=settings.workers, python=settings.python, batch_cells=SLICE,
        allow_unisolated=settings.allow_unisolated,
    )  # fmt: skip
