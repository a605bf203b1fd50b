"""Grading by asserts: tests that are text, judged by the engine's plan of each assert.

The rows of a problem hold `tests` (texts), and `before` and `after`: what stands before and behind the program.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from codepref.sandbox import Cell, Job, Limits, Matrix, Mode, execute
from evaluation.benchmark import Graded, Settings, Work

WALL_S, PATIENT_S = 9.0, 300.0
BUSY_S = 0.3
"""CPU seconds from which on a program that ran out of wall time was working, not sleeping."""


def grade_asserts(work: Work, settings: Settings) -> Iterator[list[Graded]]:
    """Verdicts on programs, problem by problem, in order.

    As upstream, a program that sleeps for long has timed out; one that only waits for a busy machine has not, and is
    given more time.
    """
    known: dict[str, Job] = {}

    def jobs() -> Iterator[Job]:
        for problem, programs in work:
            row = problem.row
            codes = tuple(f"{row['before']}{program}\n{row['after']}" for program in programs)
            known[problem.task_id] = Job(problem.task_id, codes, tuple(row["tests"]), problem.entry_point or None)
            yield known[problem.task_id]

    for matrix in _execute(jobs(), settings, WALL_S):
        job = known.pop(matrix.job_id)
        cells = matrix.cells
        if any(was_kept_waiting(cell) for row in cells for cell in row):
            cells = next(_execute(iter([job]), replace(settings, workers=1), PATIENT_S)).cells
        yield [decided(row) for row in cells]


def _execute(jobs: Iterator[Job], settings: Settings, wall_s: float) -> Iterator[Matrix]:
    limits = Limits(
        cpu_s=max(3.0, settings.cpu_s),
        screen_s=None,
        wall_s=wall_s,
        memory_mb=settings.memory_mb,
        output_bytes=16 << 20,
        profile=settings.profile,
    )
    return execute(
        jobs, limits, workers=settings.workers, python=settings.python, batch_cells=64,
        allow_unisolated=settings.allow_unisolated,
    )  # fmt: skip


def was_kept_waiting(cell: Cell) -> bool:
    """Whether a program ran out of wall time while it was working, on a busy machine; another one sleeps."""
    return cell.error == "wall limit" and cell.cpu_s > BUSY_S


def decided(cells: Sequence[Cell]) -> Graded:
    """The verdict on a program from its cells, in the order of the tests: the first trouble decides."""
    bad = next((cell for cell in cells if cell.verdict != "passed"), None)
    mode: Mode = "official" if any(cell.mode == "official" for cell in cells) else "plain"
    verdict = "passed" if bad is None else bad.verdict
    return Graded(verdict, mode, error="" if bad is None else bad.error, cpu_s=sum(cell.cpu_s for cell in cells))
