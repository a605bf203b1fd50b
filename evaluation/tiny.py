"""The tiny model's own benchmark: held-out tasks of its family, with 30 hidden tests each.

It measures what a training changed where no real model fits (`codepref.generate.tiny`), and says nothing about real
code. Scores are split by how many steps of a task are planted misconceptions, which most programs of the pre-training
corpus get wrong: a gain there is a repair of what was planted.
"""

from pathlib import Path

from codepref.generate.tiny.steps import STEPS, USUAL
from codepref.generate.tiny.tasks import ENTRY_POINT, Task, read, tasks
from evaluation.benchmark import Asked, Problem, require, rows

TASKS = 240
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


def asked(problem: Problem, chat: bool, prefill: bool) -> Asked:
    """The prompt as it is: the model was trained to go on with a program."""
    return Asked(problem.prompt)
