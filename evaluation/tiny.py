"""The tiny model's own benchmark: held-out tasks of its family, with 30 hidden tests each.

It measures what a training changed where no real model fits (`codepref.generate.tiny`), and says nothing about real
code. Scores are split by how many steps of a task are planted misconceptions, which most programs of the pre-training
corpus get wrong: a gain there is a repair of what was planted.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from codepref.generate.tiny import truth
from codepref.generate.tiny.steps import STEPS, USUAL
from codepref.generate.tiny.tasks import ENTRY_POINT, Task, read, tasks
from evaluation.benchmark import Asked, Graded, Problem, Settings, Work, require, rows

TASKS = 240
BATCH = 60
"""Problems that are graded together."""
GROUPS = ("no misconception", "1 misconception", "2 misconceptions", "3 misconceptions")


def load(path: Path | None) -> list[Problem]:
    """The first 240 held-out tasks of seed 0, or those of a file of `codepref tiny prompts --truth`.

    Raises:
        CodeprefError: the file can not be read, or its prompts are not of the family.
    """
    if path is None:
        return [_problem(task, task.reference, task.hidden_tests()) for task in tasks("heldout", TASKS, 0)]
    found = []
    for number, row in enumerate(rows(path), 1):
        require(row, ("prompt", "reference", "tests"), f"{path}, row {number}")
        found.append(_problem(read(row["prompt"]), row["reference"], row["tests"]))
    return found


def _problem(task: Task, reference: str, tests: list[str]) -> Problem:
    group = GROUPS[sum(STEPS[name].error == USUAL for name, _ in task.steps)]
    data = {"tests": tests, "before": "", "after": ""}
    return Problem(task.task_id, task.prompt, reference, ENTRY_POINT, group, data)


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
        for cells in truth.judged(asked, settings.workers, **options):
            yield [Graded(cell.verdict, error=cell.error, cpu_s=cell.cpu_s) for cell in cells]


def asked(problem: Problem, chat: bool, prefill: bool) -> Asked:
    """The prompt as it is: the model was trained to go on with a program."""
    return Asked(problem.prompt)
