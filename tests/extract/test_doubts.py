"""Words around an example that leave open what the function returns: nothing is read there, and other examples are."""

import pytest

from codepref.extract import examples, given_examples
from codepref.files import LineError


@pytest.mark.parametrize(
    "text",
    [
        "f(10) -> 3.33...",
        "f(10) returns 3 (approximately)",
        "f([1, 2]) returns [2, 1] (in any order)",
        "f([1, 2]) -> [2, 1] (or [1, 2])",
        "f(2) returns 4 (or 5)",
        "f(2) returns 4 (if the cache is empty)",
        "f(2) returns 4 where the cache is empty",
        "f(2) -> 7 (random)",
        "f(2)  # 4 (may vary)",
        "f(2)  # => 5 (wrong)",
        "f(2) == 5  # False",
        "f(2) == 5 (not 4)",
        "f(5) = 4 (mod 7)",
        "f(2) returns 4 as one possible answer",
        "f(2) returns 4, since 5 is also possible",
        "f(7) // 2 (integer division)",
        "f(2) -> [1, 2, ..., 10]",
        "f([1, 2, ...]) -> 4",
        "f(2) -> 'aaaa...'",
        "f(2) returns inf, and f(3) -> 1e999",
        "f(2) -> {'a': 0.33}",
        "f(2) -> {'a': [1e20]}",
        "When the cache is empty, f(2) returns 4",
        "On the second call, f(2) returns 4",
        "Suppose, f(2) == 5.",
        "Currently, f(2) returns 5.",
        "A naive solution: f(2) == 5",
        "Buggy output: f(2) -> 5",
        "Falsch: f(2) == 5",
        "Mal: f(2) == 5",
        "My output: f(2) == 5",
        "In version 1, f(2) == 5",
        "Counterexample: f(2) == 5",
        "flag, f(2) = 4",
        "Use: f(2) = 4",
        "It crashes:\nf(2) == 5",
        "f(2) == 5\nThis is wrong",
        "I have a function f.\n\n>>> f(2)\n5\n\nBut I want 4.",
        "Rewrite this. Right now:\n\nf(2)  # 1",
        "f('a\\\\n') == 2",  # a docstring's two backslashes may stand for one
        "f(open('x').read()) == 2",
        "This should raise an AssertionError: assert f(2) == 4",
        "The following fails: assert f(2) == 4",
        "assert f(2) == 4  # wrong",
        "f(2) returns 4\nor 5",
        "f(2) returns 4\nunless told otherwise",
        "f(2) returns 4,\n5, 6",
        "f(2) == 'a'\n  'b'",
        "it is wrong that\nf(2) returns 4",
        "A naive solution does this:\n\n>>> f(2)\n5\n\nThat takes long.",
        "f(1) == 1\nf(1) == 2",
        ">>> f(1)\n1\n>>> f(1)\n2",
        ">>> f.clear()\n>>> f(2)\n3",
        ">>> random.seed(1)\n>>> f(2)\n4",
        ">>> f(2)  # doctest: +SKIP\n4",
        ">>> f(2)  # random\n4",
        ">>> f(2)\n[1, 2, ...]",
        ">>> print(f(2))\na\n...\nb",
        ">>> print(f(2))\na\n<BLANKLINE>\nb",
        ">>> f(x)\n4",
        ">>> g(f(2))\n4",
        "assert f(x) >= 0",
        "assert f(2) == pytest.approx(4)",
        "for i in range(3):\n    assert f(i) == i * i",
    ],
)
def test_words_by_an_example(text):
    assert examples(text, "f") == []
    assert examples(f"def f(n):\n    '''Do it.\n\n{text}\n    '''", "f") == []


@pytest.mark.parametrize(
    ("task", "values"),
    [
        ("Return the items in any order.", "f(2) -> [2, 1]"),
        ("Return a random number.", "f(2) -> 1"),
        ("If there are several, return any of them.", "f(2) -> 1"),
        ("Sort the list in-place.", "f([2, 1]) -> [1, 2]"),
        ("Print the double of a number.", ">>> f(2)\n4"),
        ("Reverse a linked list. Return its head.", "f([1, 2]) -> [2, 1]"),
        ("Write a generator.", "f(1) yields 0"),
    ],
)
def test_what_a_prompt_says_of_all_results(task, values):
    assert examples(f"{task}\n\n{values}\n", "f") == []
    assert len(examples(f"Do it.\n\n{values}\n", "f")) == 1
    assert examples(f"{task}\n\n{values}\n\nassert f(3) == 4", "f") == ["assert f(3) == 4"]


@pytest.mark.parametrize(
    ("signature", "text"),
    [
        ("f(s: str)", "Input: 12\nOutput: 21"),
        ("f(x) -> str", "Input: 12\nOutput: 21"),
        ("f(x) -> None", "Input: 12\nOutput: 21"),
        ("f(head)", "Input: head = [1, 2]\nOutput: [2, 1]"),
        ("f(x: Node)", "Input: x = [1, 2]\nOutput: [2, 1]"),
        ("f(x)", "Input: 2\nOutput: 4\n5"),
        ("f(x)", "Input: x = 1 <= 2\nOutput: 4"),
        ("f(x)", "If x = 2 was already seen, the output should be 4"),
        ("f(x)", "for x = 2 the wrong answer is 4"),
        ("f(x)", "for x = 5 and higher, the result is 4"),
        ("f(x)", "It is false that for x = 5 the result is 4"),
        ("f(x, y=1)", "for x = 2 and y = 3 the result is 4"),
    ],
)
def test_inputs_that_leave_something_open(signature, text):
    assert examples(f"def {signature}:\n    '''Do it.\n\n{text}\n    '''", "f") == []


def test_inputs_of_another_function():
    prompt = "def g(x):\n    '''Input: 2\n    Output: 3'''\n\ndef f(x):\n    '''Square. f(2) == 4'''\n"
    assert examples(prompt, "f") == ["assert f(2) == 4"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (">>> f(2) == 4\nFalse", ["assert (f(2) == 4) == False"]),
        ("f(2) returns 3.33", ["assert abs(f(2) - 3.33) < 0.005001"]),
        (
            "f(2) -> [0.333, 1]",
            ["assert all(abs(x - y) < 0.000501 for x, y in zip(f(2), [0.333, 1], strict=True))"],
        ),
        (">>> f(2)\n0.3333333333333333", ["assert abs(f(2) - 0.3333333333333333) < 1e-06"]),
        ("f(2) == 4\nassert f(2)==4, 'why'", ["assert f(2)==4, 'why'", "assert f(2) == 4"]),  # the same value
        ("Incorrect: f(2) == 5\nCorrect: f(2) == 4", ["assert f(2) == 4"]),
        ("The old code is broken:\n>>> f(2)\n5\n\nIt should be:\n>>> f(2)\n4", ["assert f(2) == 4"]),
        (">>> f([])\n>>> f([1])\n1", ["assert f([1]) == 1"]),  # nothing is shown for None
        (">>> a = [2]\n>>> f(a)\n2\n>>> f(a)\n3", ["a = [2]\nassert f(a) == 2"]),  # it may have changed
        ("class Node: ...\n\nassert f(Node(2)) == 5", ["assert f(Node(2)) == 5"]),
        ("It must not fail. Your code should pass these tests:\nassert f(2) == 4", ["assert f(2) == 4"]),
        ("Zum Beispiel: f(2) == 4", ["assert f(2) == 4"]),
        ("Edge case: f(0) == 4", ["assert f(0) == 4"]),
        ("f(4) -> False (4 is not prime)", ["assert f(4) == False"]),
        ("If it is odd, return 0. For example, f(3) == 0", ["assert f(3) == 0"]),
    ],
)
def test_what_is_still_read(text, expected):
    assert examples(text, "f") == expected


def test_a_function_takes_no_examples_by_input_and_output():
    given = {"examples": [{"input": "1", "output": "2"}]}
    assert len(given_examples(given, "")) == 1
    with pytest.raises(LineError, match="by input and output"):
        given_examples(given, "f")
