import pytest

from evaluation.benchmark import Graded, Problem
from evaluation.notes import explained
from evaluation.samples import GradedSample

PROBLEM = Problem("HumanEval/0", 'def f(a):\n    """Doc."""\n', "", "f")


@pytest.mark.parametrize(
    ("program", "error", "told"),
    [
        ("", "KeyError: f", "no program"),
        ("# nothing\n", "KeyError: f", "no program"),
        (PROBLEM.prompt, "AssertionError: wrong value", "no program"),
        ("x = 1", "KeyError: f", "NameError: the program defines no f"),
        ("f = {}.__getitem__", "KeyError: 'f'", "KeyError: 'f'"),
        ("def f(a):\n    return {}['f']", "KeyError: f", "KeyError: f"),
        ("from x import f", "KeyError: f", "KeyError: f"),
        ("def f(a:", "SyntaxError: the code does not compile", "SyntaxError: the code does not compile"),
    ],
)
def test_reasons_in_words(program, error, told):
    found = explained(PROBLEM, GradedSample("HumanEval/0", 0, program, program), Graded("failed", error=error))
    assert (found.verdict, found.error) == ("failed", told)


def test_a_thought_is_no_program_and_what_passed_stays():
    thought = GradedSample("HumanEval/0", 0, "<think>hm", PROBLEM.prompt, "unfinished thought")
    assert explained(PROBLEM, thought, Graded("failed", error="AssertionError")).error == "no program"
    assert explained(PROBLEM, thought, Graded("passed")) == Graded("passed")
