"""What the tiny model is trained on: prompts with programs, with tests, and with repairs of wrong programs."""

import random
from collections.abc import Iterator

from codepref.generate.tiny import text
from codepref.generate.tiny.tasks import Task, Value, assert_text, draw, function

LENGTHS = (14, 50, 36)
"""Weights of tasks of one, two and three steps."""
CODE, TEST = 0.36, 0.50
"""Shares of documents with a program and with tests; the rest are repairs."""
WRONG_TESTS = 0.08
REPAIR_ERRORS = 0.25
"""Error rate of repaired programs, relative to that of programs."""
LARGEST = 99
"""Tests with larger numbers in their result are left out: the model would only learn to guess."""
MISHAPS = (IndexError, ValueError, TypeError)
"""What wrong programs of the family raise."""

Document = tuple[str, str]
"""Prompt and completion."""


def documents(rng: random.Random) -> Iterator[Document]:
    """Training documents without end."""
    while True:
        task = draw(rng, "train", LENGTHS)
        share = rng.random()
        if share < CODE:
            yield text.code_prompt(task.prompt), task.program(rng, errors=1.0)
        elif share < CODE + TEST:
            yield (
                text.test_prompt(task.prompt),
                "".join(f"{test}\n" for test in draw_tests(task, rng, rng.randint(3, 5))),
            )
        else:
            yield from _repair(task, rng)


def draw_tests(task: Task, rng: random.Random, n: int) -> list[str]:
    """`n` assert statements, some of them wrong."""
    found: list[str] = []
    while len(found) < n:
        nums = task.numbers(rng)
        value = task.truth(nums)
        if rng.random() < WRONG_TESTS:
            value = _wrong(task, rng, nums, value)
        if _size(value) <= LARGEST:
            found.append(assert_text(nums, value))
    return found


def _size(value: Value) -> int:
    return max(map(abs, value), default=0) if isinstance(value, list) else abs(value)


def _wrong(task: Task, rng: random.Random, nums: list[int], value: Value) -> Value:
    """Another value: that of a wrong program half of the time, else the right one a little off."""
    if rng.random() < 0.5:
        try:
            return function(task.program(rng, errors=1.0))(list(nums))
        except MISHAPS:
            return value
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + rng.choice((-1, 1))
    place = rng.randrange(len(value) + 1)
    return [*value[:place], *value[place + 1 :]] if place < len(value) else [*value, rng.randint(0, 9)]


def _repair(task: Task, rng: random.Random) -> Iterator[Document]:
    """A repair, when a wrong program and a test that shows it are found quickly."""
    for _ in range(4):
        program = task.program(rng, errors=1.0)
        failing = failing_test(task, program, rng)
        if failing is not None:
            fixed = task.program(rng, errors=REPAIR_ERRORS)
            yield text.repair_prompt(task.prompt, program, failing), fixed
            return


def failing_test(task: Task, program: str, rng: random.Random) -> str | None:
    """A true test that a program of the family fails, or None when ten tries find none."""
    run = function(program)
    for _ in range(10):
        nums = task.numbers(rng)
        truth = task.truth(nums)
        try:
            wrong = run(list(nums)) != truth
        except MISHAPS:
            wrong = True
        if wrong and _size(truth) <= LARGEST:
            return assert_text(nums, truth)
    return None
