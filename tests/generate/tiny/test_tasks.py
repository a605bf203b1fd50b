import random

import pytest

from codepref.generate.tiny.steps import STEPS
from codepref.generate.tiny.tasks import (
    NotOfTheFamily,
    Task,
    describe_steps,
    draw,
    function,
    read_task,
    render_program,
    split_of,
    tasks,
)
from codepref.sandbox import Job, execute

SPLITS = ("train", "build", "heldout")


def sets(found):
    return {frozenset(name for name, _ in task.steps) for task in found}


def test_no_set_of_steps_is_in_two_splits():
    rng = random.Random(0)
    found = {split: sets(draw(rng, split) for _ in range(1500)) for split in SPLITS}
    assert all(len(some) > 500 for some in found.values())
    assert not found["train"] & found["build"]
    assert not found["train"] & found["heldout"]
    assert not found["build"] & found["heldout"]


def test_the_order_of_steps_does_not_change_the_split():
    names = list(STEPS)
    rng = random.Random(1)
    for _ in range(200):
        some = rng.sample(names, 3)
        assert split_of(some) == split_of(some[::-1])
    assert {split_of([name]) for name in names} == {"train"}


def test_tasks_are_the_same_for_the_same_seed_and_all_different():
    assert tasks("build", 50, 1) == tasks("build", 50, 1)
    assert tasks("build", 50, 1) != tasks("build", 50, 2)
    assert len({task.steps for task in tasks("heldout", 300, 0)}) == 300
    assert not any(task.flat() for task in tasks("heldout", 300, 0))


@pytest.mark.parametrize("split", SPLITS)
def test_a_task_is_read_back_from_its_prompt(split):
    for task in tasks(split, 400, 3):
        assert read_task(f"Solve this.\n\n{task.prompt}\n\nUse Python.") == task
        assert task.split == split


def test_wordings_vary():
    rng = random.Random(2)
    steps = (("first", 2), ("double", None), ("sum", None))
    texts = {describe_steps(rng, steps) for _ in range(200)}
    assert len(texts) > 60
    assert {read_task(Task(steps, text).prompt).steps for text in texts} == {steps}


@pytest.mark.parametrize(
    "prompt",
    [
        "Write a function that adds two numbers.",
        'def solve(nums):\n    """Return the median of the list."""',
        'def solve(nums):\n    """Sort the list."""',
        'def solve(nums):\n    """Return the sum and sort the list and return the list."""',
        "",
    ],
)
def test_what_is_not_of_the_family_is_said_in_one_line(prompt):
    with pytest.raises(NotOfTheFamily, match="only knows its own family") as caught:
        read_task(prompt)
    assert "\n" not in str(caught.value)


def test_hidden_tests_accept_the_reference_and_reject_mistakes():
    chosen = tasks("heldout", 20, 5)
    rng = random.Random(3)
    wrong = []
    for task in chosen:
        name, k = task.steps[0]
        forms = [rng.choice(STEPS[name].wrong).replace("{k}", str(k))]
        forms += [STEPS[n].right[0].replace("{k}", str(c)) for n, c in task.steps[1:]]
        wrong.append(render_program(forms))
    jobs = [
        Job(task.task_id, (task.reference, task.program(rng), program), tuple(task.hidden_tests()), "solve")
        for task, program in zip(chosen, wrong, strict=True)
    ]
    caught = 0
    for matrix in execute(jobs):
        reference, other, mistaken = ([cell.verdict == "passed" for cell in row] for row in matrix.cells)
        assert all(reference) and all(other)
        caught += not all(mistaken)
    assert caught >= 15, "some mistakes are undone by the step that follows"


def test_programs_are_wrong_about_as_often_as_their_steps_say():
    rng = random.Random(4)
    task = Task((("from", 3),), "Keep the numbers from 3 upwards and return the list.")
    wrong = sum(function(task.program(rng, errors=1.0))([2, 3, 4]) != [3, 4] for _ in range(500))
    assert 0.54 < wrong / 500 < 0.70
    assert all(function(task.program(rng))([2, 3, 4]) == [3, 4] for _ in range(100))
