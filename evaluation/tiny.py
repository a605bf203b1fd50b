"""The tiny model's own benchmark: held-out tasks of its family, with 30 hidden tests each.

It measures what a training changed where no real model fits (`codepref.generate.tiny`), and says nothing about real
code. Scores are split by how many steps of a task are planted misconceptions, which most programs of the pre-training
corpus get wrong: a gain there is a repair of what was planted.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from codepref.generate.tiny.steps import STEPS, USUAL
from codepref.generate.tiny.tasks import ENTRY_POINT, Task, read_task, tasks
from codepref.sandbox import Cell, Job, Limits, execute
from evaluation.benchmark import Asked, Benchmark, Graded, Problem, Settings, Work, located_rows, require

TASKS = 240
BATCH = 60
"""Problems that are graded together."""
LIMITS = Limits(cpu_s=0.5)
GLANCE = 5
"""Hidden tests that nearly every wrong program fails one of."""
GROUPS = ("no misconception", "1 misconception", "2 misconceptions", "3 misconceptions")


def load(path: Path | None) -> list[Problem]:
    """The first 240 held-out tasks of seed 0, or those of a file of `codepref tiny prompts --truth`.

    Raises:
        CodeprefError: the file can not be read, or its prompts are not of the family.
    """
    if path is None:
        return [_problem(task, task.reference, task.hidden_tests()) for task in tasks("heldout", TASKS, 0)]
    found = []
    for where, row in located_rows("tiny", path):
        require(row, ("prompt", "reference", "tests"), where)
        found.append(_problem(read_task(row["prompt"]), row["reference"], row["tests"]))
    return found


def _problem(task: Task, reference: str, tests: list[str]) -> Problem:
    group = GROUPS[sum(STEPS[name].error == USUAL for name, _ in task.steps)]
    data = {"tests": tests, "before": "", "after": ""}
    return Problem(task.task_id, task.prompt, reference, ENTRY_POINT, (group,), data)


def program(_: Problem, text: str) -> str:
    """The model's answers are whole programs."""
    return text


def grade(work: Work, settings: Settings) -> Iterator[list[Graded]]:
    """Verdicts on programs, problem by problem, in order; the first test that is not passed decides."""
    left = iter(work)
    while some := list(islice(left, BATCH)):
        asked = [(programs, problem.row["tests"]) for problem, programs in some]
        options = {
            "python": settings.python, "allow_unisolated": settings.allow_unisolated, "profile": settings.profile
        }  # fmt: skip
        for cells in judge_programs(asked, settings.workers, **options):
            yield [Graded(cell.verdict, error=cell.error, cpu_s=cell.cpu_s) for cell in cells]


def reference(problem: Problem) -> str:
    """The family's own solution is a whole program."""
    return problem.reference


def question(problem: Problem, chat: bool, prefill: bool) -> Asked:
    """What the model is shown, the prompt as it is: the model was trained to go on with a program."""
    return Asked(problem.prompt)


def right(work: Sequence[tuple[str, Sequence[str]]]) -> list[np.ndarray]:
    """For each prompt and its programs: which pass all hidden tests, (programs,) bool each."""
    asked = [(programs, read_task(prompt).hidden_tests()) for prompt, programs in work]
    return [_passed(cells) for cells in judge_programs(asked)]


def _passed(cells: Sequence[Cell]) -> np.ndarray:
    return np.array([cell.verdict == "passed" for cell in cells], dtype=bool)


def judge_programs(
    work: Sequence[tuple[Sequence[str], Sequence[str]]], workers: int = 2, **options: Any
) -> list[list[Cell]]:
    """For each entry's programs the cell of the first test that is not passed, or else of the last one.

    Equal texts run once, and only what passes the first few tests runs on the others.

    Args:
        work: Programs and the tests they have to pass, at least one.
        workers: Sandboxes.
        options: Those of `codepref.sandbox.Sandbox`.
    """
    glanced = _ran([(programs, tests[:GLANCE]) for programs, tests in work], workers, options)
    decisive = [_decisive_cells(found) for found in glanced]
    undecided = []
    for found, (_, tests) in zip(decisive, work, strict=True):
        passing = [text for text, cell in found.items() if cell.verdict == "passed"]
        undecided.append((passing, tests[GLANCE:]))
    judged = []
    for found, rest, (programs, _) in zip(decisive, _ran(undecided, workers, options), work, strict=True):
        final = found | _decisive_cells(rest)
        judged.append([final[text] for text in programs])
    return judged


def _decisive_cells(found: Mapping[str, tuple[Cell, ...]]) -> dict[str, Cell]:
    return {text: _decisive(row) for text, row in found.items()}


def _decisive(row: Sequence[Cell]) -> Cell:
    return next((cell for cell in row if cell.verdict != "passed"), row[-1])


def ragged(work: Sequence[tuple[Sequence[str], Sequence[str]]]) -> list[np.ndarray]:
    """Whether program i of an entry passes its test j: (programs, tests) bool each."""
    found = []
    for cells, (programs, tests) in zip(_ran(work, 2, {}), work, strict=True):
        rows = [_passed(cells.get(text, ())) for text in programs]
        found.append(np.array(rows, dtype=bool).reshape(len(programs), len(tests)))
    return found


def _ran(
    work: Sequence[tuple[Sequence[str], Sequence[str]]], workers: int, options: Mapping[str, Any]
) -> list[dict[str, tuple[Cell, ...]]]:
    """Each entry's programs of different text and their cells; entries without programs or tests have none."""
    jobs = [
        Job(str(n), tuple(dict.fromkeys(programs)), tuple(tests), ENTRY_POINT)
        for n, (programs, tests) in enumerate(work)
        if programs and tests
    ]
    found: list[dict[str, tuple[Cell, ...]]] = [{} for _ in work]
    for job, matrix in zip(jobs, execute(jobs, LIMITS, workers=workers, **options), strict=True):
        found[int(job.job_id)] = dict(zip(job.codes, matrix.cells, strict=True))
    return found


TINY = Benchmark(
    name="tiny",
    paper="codepref",
    load=load,
    program=program,
    reference=reference,
    grade=grade,
    ask=question,
    max_tokens=192,
    bare=True,
)
BENCHMARKS = (TINY,)
