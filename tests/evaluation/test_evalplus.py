import pytest

from evaluation import bigcodebench, ds1000, humaneval, mbpp
from evaluation.ask import cut
from evaluation.benchmark import Problem
from evaluation.samples import cleaned

PROMPT = 'def f(a):\n    """Doc."""\n'
PROBLEM = Problem("HumanEval/0", PROMPT, "", "f", row={"instruct_prompt": "Do it.\n"})
TASK = "Please provide a self-contained Python script that solves the following problem in a markdown code block:"
BEGIN = "Below is a Python script with a self-contained function that solves the problem and passes corresponding tests:\n```python\n"
ENDS = ("<|endoftext|>", "<|endofmask|>", "</s>", "\nif __name__", "\ndef main(", "\nprint(")


def test_evalplus_base_model():
    asked = humaneval.question(PROBLEM, False, False)
    assert asked.text == 'def f(a):\n    """Doc."""\n'
    assert asked.stop == (*ENDS, "\ndef ", "\nclass ", "\nimport ", "\nfrom ", "\nassert ")
    assert mbpp.question(PROBLEM, False, False).stop == (*ENDS, '\n"""', "\nassert")


def test_evalplus_chat_model_with_the_answer_begun():
    asked = humaneval.question(PROBLEM, True, True)
    assert asked.text == f'{TASK}\n```\ndef f(a):\n    """Doc."""\n```\n'
    assert asked.begin == BEGIN
    assert asked.stop == (*ENDS, "\n```\n")


def test_evalplus_chat_model_behind_a_server():
    asked = humaneval.question(PROBLEM, True, False)
    assert (asked.text, asked.stop) == (f'{TASK}\n```python\ndef f(a):\n    """Doc."""\n```', ())


def test_bigcodebench():
    complete = bigcodebench.question(PROBLEM, True, True, split="complete")
    assert (complete.text, complete.begin) == (f'{TASK}\n```\ndef f(a):\n    """Doc."""\n```\n', BEGIN)
    assert bigcodebench.question(PROBLEM, True, True, split="instruct").text == f"{TASK}\nDo it.\n"
    assert bigcodebench.question(PROBLEM, False, False, split="complete").text == PROMPT


def test_data_science():
    asked = ds1000.question(PROBLEM, True, False)
    assert asked.text == PROMPT
    assert asked.system.startswith("Write a short code following the given format")
    assert asked.stop == ("</code>", "# SOLUTION END")


@pytest.mark.parametrize(("text", "kept"), [("a\ndef b", "a"), ("a</s>\ndef b", "a"), ("a", "a")])
def test_texts_that_end_an_answer(text, kept):
    assert cut(text, ("\ndef ", "</s>")) == kept


@pytest.mark.parametrize(
    "raw",
    [
        "Sure!\n```python\nimport re\n\ndef f(a):\n    return a\n```\nIt works because ...",
        "import re\n\ndef f(a):\n    return a\n\nprint(f(1))\nassert f(1) == 1\n",
        "```\nimport re\n\ndef f(a):\n    return a\n",
        "import re\n\ndef f(a):\n    return a\n\nHope this helps!",
    ],
)
def test_programs_in_recorded_kinds_of_answers(raw):
    program = cleaned(raw, PROBLEM)
    assert program.split() == ["import", "re", "def", "f(a):", "return", "a"]
