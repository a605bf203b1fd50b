import random

import pytest

from codepref.generate.tiny.corpus import MISHAPS
from codepref.generate.tiny.steps import STEPS
from codepref.generate.tiny.tasks import Task, function, render_program

CASES = [(step, k) for step in STEPS.values() for k in step.constants]


def lists(step, k, n=150):
    rng = random.Random(f"{step.name} {k}")
    task = Task(((step.name, k),), "")
    return [task.numbers(rng) for _ in range(n)]


def outcome(program, nums):
    try:
        return function(program)(list(nums))
    except MISHAPS as error:
        return type(error)


@pytest.mark.parametrize(("step", "k"), CASES, ids=lambda value: getattr(value, "name", str(value)))
def test_every_right_form_is_right_and_every_mistake_shows(step, k):
    inputs = lists(step, k)
    truth = [Task(((step.name, k),), "").truth(nums) for nums in inputs]
    for form in (*step.right, *step.slow):
        run = function(render_program([form.replace("{k}", str(k))]))
        for nums, expected in zip(inputs, truth, strict=True):
            given = list(nums)
            value = run(given)
            assert (value, type(value)) == (expected, type(expected)), form
            assert given == nums, "the argument is left alone"
    for form in step.wrong:
        program = render_program([form.replace("{k}", str(k))])
        assert any(outcome(program, nums) != value for nums, value in zip(inputs, truth, strict=True)), form


def test_slow_forms_take_quadratic_time():
    task = Task((("reverse", None),), "")
    quick, slow = (task.program(random.Random(1), slow=share) for share in (0.0, 1.0))
    assert "insert" in slow or "[n] + out" in slow
    assert "insert" not in quick and "[n] + out" not in quick


def test_constants_belong_to_steps_that_name_one():
    assert STEPS["even"].constants == (None,)
    assert all(len(step.constants) > 1 for step in STEPS.values() if "{k}" in step.phrases[0])
