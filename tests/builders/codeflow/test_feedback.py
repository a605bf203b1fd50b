import pytest

from builders.codeflow.feedback import no_program, probes, reports
from codepref.extract import Rejected
from codepref.sandbox import Job, Limits, Sandbox
from codepref.stdin import StdinTest

LIMITS = Limits(cpu_s=0.3)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(LIMITS) as sandbox:
        yield sandbox


def told(sandbox, code, *tests):
    (cells,) = sandbox.run(Job("j", (code,), tests, "f")).cells
    return reports(sandbox, [(code, tests, cells)], ["f"], LIMITS)[0]


def test_the_value_beside_the_assertion(sandbox):
    text = told(
        sandbox, "def f(x):\n    return [x, x + 1]\n", "assert f(0) == [0, 1]", "assert f(1) == [1, 3]", "assert 0"
    )
    assert text == "It passes 1 of 3 tests. This one fails:\n\nassert f(1) == [1, 3]\n\nf(1) gives [1, 2]"


@pytest.mark.parametrize(
    ("code", "last"),
    [
        ("print(2)", ["Its output differs in line 1: expected '3', got '2'"]),
        ("print(3)\nprint(3)", ["Its output differs in line 2: expected nothing more, got '3'"]),
        (
            "def main():\n    return int(input()) / 0\n\nmain()\n",
            ["ZeroDivisionError: division by zero", "  line 2, in main: return int(input()) / 0"],
        ),
        ("import sys\nsys.exit(3)", ["exit status 3"]),
        ("while True: pass", ["It does not end within 0.3 s of CPU time."]),
        ("x = 'a' * (1 << 33)", ["It needs more than 1024 MiB of memory."]),
    ],
)
def test_a_program_is_told_where_its_output_differs(sandbox, code, last):
    tests = (StdinTest("0\n", ("2",)).text, StdinTest("1\n", ("3\n",)).text)
    (cells,) = sandbox.run(Job("j", (code,), tests[1:])).cells
    text = reports(sandbox, [(code, tests[1:], cells)], [""], LIMITS)[0]
    head = "It passes 0 of 1 tests. This one fails:\n\nInput:\n```\n1\n```\n\nOutput:\n```\n3\n```\n\n"
    assert text == head + "\n".join(last)


def test_an_answer_without_a_program_that_prints():
    assert no_program(Rejected("no output", "nothing"), "") == (
        "The answer holds no program that reads its input and prints: no output (nothing)."
    )


def test_an_exception_with_the_lines_it_came_through(sandbox):
    code = "def g(items):\n    return items[0]\n\n\ndef f(items):\n    return g(items)\n"
    text = told(sandbox, code, "assert f([]) == 0")
    assert text.splitlines()[-3:] == [
        "IndexError: list index out of range",
        "  line 6, in f: return g(items)",
        "  line 2, in g: return items[0]",
    ]


@pytest.mark.parametrize(
    ("test", "last"),
    [
        ("assert not f(1)", "f(1) gives 2"),
        ("assert 3 == f(1)", "f(1) gives 2"),
        ("assert f(1) > 4, 'too small'", "f(1) gives 2"),
        ("x = f(1)\nassert abs(x - 3) < 1e-6", "abs(x - 3) gives 1"),
        ("def check(candidate):\n    assert candidate(0) == 1\n    assert candidate(1) == 3\n\ncheck(f)", "candidate(1) gives 2"),
        ("def test_f():\n    assert f(1) == 5", "f(1) gives 2"),
        (
            "import unittest\n\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(f(1), 3)",
            "2 != 3",
        ),
        ("try:\n    f('a')\n    assert False\nexcept ValueError:\n    pass", 'TypeError: can only concatenate str (not "int") to str'),
    ],
)  # fmt: skip
def test_kinds_of_tests(sandbox, test, last):
    text = told(sandbox, "def f(x):\n    return x + 1\n", test)
    assert last in text.splitlines()[-3:]


def test_limits_have_words(sandbox):
    assert told(sandbox, "def f(x):\n    while True:\n        pass\n", "assert f(1)").endswith("0.3 s of CPU time.")
    text = told(sandbox, "import os\n\n\ndef f(x):\n    os._exit(3)\n", "assert f(1)")
    assert text.endswith("Its process dies.")


def test_texts_have_bounds_and_no_addresses(sandbox):
    text = told(sandbox, "def f(x):\n    return ['long' * 1000]\n", f"assert f(1) == {'x' * 3000!r}")
    assert len(text) < 1900
    text = told(sandbox, "class A:\n    pass\n\n\ndef f(x):\n    return A()\n", "assert f(1) == 2")
    assert "A object" in text
    assert "0x" not in text


def test_a_program_that_lies_in_its_report_misleads_no_label(sandbox):
    lie = "class A(int):\n    def __repr__(self):\n        return '2'\n\n\ndef f(x):\n    return A(5)\n"
    (cells,) = sandbox.run(Job("j", (lie,), ("assert f(1) == 2",), "f")).cells
    assert cells[0].verdict == "failed"
    assert told(sandbox, lie, "assert f(1) == 2").endswith("f(1) gives 2")


def test_no_program():
    assert no_program(Rejected("empty"), "f") == "The answer holds no program that defines f: empty."
    assert "(line 3: invalid syntax)" in no_program(Rejected("unparseable", "line 3: invalid syntax"), "f")


def test_a_test_that_can_not_be_probed():
    assert probes("assert (", "f") is None
