import pytest

from evaluation.benchmark import Graded, Problem
from evaluation.humaneval import HUMANEVAL
from evaluation.notes import explained, sample_notes
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


def test_answers_that_never_ended_to_think_are_counted():
    thought = GradedSample("HumanEval/0", 0, "<think>hm", "", "unfinished thought", cut=True)
    code = GradedSample("HumanEval/0", 1, "def f(a): pass", "def f(a): pass")
    rows = [{"verdict": "failed", "error": "no program"}, {"verdict": "failed", "error": "wrong"}]
    (note,) = sample_notes(HUMANEVAL, [thought, code], rows, clean=True)
    assert note.startswith("1 of 2 answers end inside a thought")
    assert "--max-tokens" in note
    assert sample_notes(HUMANEVAL, [code], rows[1:], clean=True) == []
