from dataclasses import replace

import pytest

from benchmarks import label_examples
from benchmarks.label_matrix import Task

TASK = Task(
    "t", "f", ("def f(x): return x", "def f(x): return -x"), (0, 1, 1), (True, False, False), (True, False, False),
    ("assert f(0) == 0",), (0,), (("passed",), ("passed",)), (("1",), ("1",)),
)  # fmt: skip


WITHOUT = replace(TASK, task_id="u")


def test_tasks_get_the_verdicts_of_their_programs_on_the_examples():
    told, plain = label_examples.with_examples([TASK, WITHOUT], {"t": ("assert f(1) == 1", "assert f(0) == 0")}, 1)
    assert told.examples == (("passed", "passed"), ("failed", "passed"))
    assert (told.verdicts, told.tests) == (TASK.verdicts, TASK.tests)
    assert plain.examples == ((), ())


@pytest.mark.realdata
def test_examples_of_humaneval(shared):
    found = label_examples.of_humaneval(shared)
    assert found["HumanEval/0"][0] == "assert has_close_elements([1.0, 2.0, 3.0], 0.5) == False"
    assert found["HumanEval/38"] == ()
