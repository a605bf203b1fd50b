"""Grading in official mode: the benchmark's own test code runs beside the program, in the benchmark's own interpreter.

What such tests look at (data frames, figures, mocks, files) can not leave the process as plain data, so a program that
sets out to fool its test can; the verdicts say `official` for that reason. One cheap trick is refused all the same: an
object whose class, written in the program, answers comparisons itself (`GUARD`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from codepref.sandbox import Job, Limits, execute
from evaluation.benchmark import Graded, Problem, Settings, Work

GUARD = """
def _refuse(value, depth=3):
    for kind in type.__dict__["__mro__"].__get__(type(value)):
        for name in ("__eq__", "__ne__", "__bool__", "__lt__", "__le__", "__gt__", "__ge__", "__sub__", "__array__"):
            code = getattr(kind.__dict__.get(name), "__code__", None)
            if code is not None and code.co_filename in ("<solution>", "<string>"):
                raise AssertionError("the answer's class compares itself: " + kind.__name__)
    if depth and type(value) in (list, tuple):
        for item in value[:100]:
            _refuse(item, depth - 1)
"""


@dataclass(frozen=True)
class Suite:
    """What one benchmark runs: libraries to import once, limits, and the job of a program."""

    preload: tuple[str, ...]
    cpu_s: float
    wall_s: float
    memory_mb: int
    parts: Callable[[Problem, str], tuple[str, str]]
    """Code and test text of a program of a problem."""


def grade_official(suite: Suite, work: Work, settings: Settings) -> Iterator[list[Graded]]:
    """Verdicts on programs, problem by problem, in order. Every program is a process of its own."""
    limits = Limits(
        cpu_s=max(suite.cpu_s, settings.cpu_s), screen_s=None, load_s=suite.cpu_s, wall_s=suite.wall_s,
        memory_mb=max(suite.memory_mb, settings.memory_mb), output_bytes=16 << 20,
    )  # fmt: skip
    counts: list[int] = []

    def jobs() -> Iterator[Job]:
        for problem, programs in work:
            counts.append(len(programs))
            for index, program in enumerate(programs):
                code, test = suite.parts(problem, program)
                yield Job(f"{problem.task_id}#{index}", (code,), (test,))

    found: list[Graded] = []
    matrices = execute(
        jobs(), limits, workers=settings.workers, mode="official", lane="strict", profile="library",
        python=settings.python, preload=suite.preload, allow_unisolated=settings.allow_unisolated, batch_cells=1,
        proc=True,
    )  # fmt: skip
    for matrix in matrices:
        cell = matrix.cells[0][0]
        found.append(Graded(cell.verdict, "official", error=cell.error, cpu_s=cell.cpu_s))
        if len(found) == counts[0]:
            counts.pop(0)
            yield found
            found = []
        while counts and counts[0] == 0:
            counts.pop(0)
            yield []
