import pytest

from builders.codeflow.feedback import no_program, probes, reports
from codepref.extract import Rejected
from codepref.sandbox import Job, Limits, Sandbox

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
