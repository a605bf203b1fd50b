"""CRUXEval on functions of ours: upstream's prompts, what counts as an answer, references and mutants."""

import hashlib
import json

import pytest
from evaluation_tiny import write_lines
from inprocess import run

from codepref.errors import CodeprefError
from evaluation.benchmark import Settings
from evaluation.catalogue import benchmark

ROWS = [
    {"id": "sample_0", "code": "def f(a):\n    return a + 1", "input": "1", "output": "2"},
    {"id": "sample_1", "code": "def f(s, n):\n    return s * n", "input": "'ab', 2", "output": "'abab'"},
    {"id": "sample_2", "code": "def f():\n    return ()", "input": "", "output": "()"},
]
PROMPTS = {
    "output": "57362c2c911e2503", "input": "9be0ae7e5ba26a7c", "output_cot": "13e4c8b28dff9377",
    "input_cot": "3a9a23b44f0879b1",
}  # fmt: skip
"""SHA-256 of what prompts.py of facebookresearch/cruxeval@190faf1 makes of the first row."""


@pytest.fixture
def data(tmp_path):
    return write_lines(tmp_path / "data.jsonl", ROWS)


@pytest.mark.parametrize("kind", sorted(PROMPTS))
def test_prompts_are_upstreams_byte_for_byte(data, kind):
    found = benchmark(f"cruxeval_{kind}")
    (problem, *_) = found.load(data)
    asked = found.ask(problem, False, False)
    assert hashlib.sha256(asked.text.encode()).hexdigest()[:16] == PROMPTS[kind]
    assert (asked.system, asked.stop) == (None, ("[/ANSWER]",))
    assert found.ask(problem, True, False).system.startswith("You are an expert at Python programming, code execution")


def test_marks_in_the_code_of_a_task_are_left_alone(data, tmp_path):
    row = {"id": "sample_0", "code": "def f(a):\n    return '<input>' + a", "input": "'<code>'", "output": "''"}
    (problem,) = benchmark("cruxeval_output").load(write_lines(tmp_path / "marks.jsonl", [row]))
    assert "return '<input>' + a\nassert f('<code>') == ??" in problem.prompt


OUTPUTS = [
    ("2", "passed"),
    ("assert f(1) == 2", "passed"),
    ("assert f(1) == 2\n[/ANSWER]\nassert f(1) == 3", "passed"),
    ("[ANSWER]\nassert f(1) == 2\n[/ANSWER]", "passed"),
    ("<think>\nassert f(1) == 5\n</think>\nassert f(1) == 2", "passed"),
    ("2  # sure", "passed"),
    ("1 + 1", "passed"),
    ("3", "failed"),
    ("'2'", "failed"),
    ("", "failed"),
    ("It is 2.", "failed"),
    ("f(1)", "failed"),
    ("f( 1)", "failed"),
    ("2 or 1", "failed"),
    ("2, 'x'", "failed"),
    ("2\nprint()", "failed"),
    ("def predicted():\n    return 2\n", "passed"),
    ("def predicted():\n    return 3\n", "failed"),
    ("1 + " * 600 + "1", "failed"),
    ("-" * 600 + "2", "failed"),
    ("type('Yes', (), {'__eq__': lambda self, other: True})()", "failed"),
]
INPUTS = [
    ("f(1)", "passed"),
    ("assert f(1) == 2", "passed"),
    ("assert f(a=1) == 2", "passed"),
    ("def predicted():\n    return f(1)\n", "passed"),
    ("f(True)", "passed"),
    ("f(2)", "failed"),
    ("2", "failed"),
    ("2 or f(1)", "failed"),
    ("1", "failed"),
    ("f(type('Yes', (), {'__add__': lambda self, other: self, '__eq__': lambda self, other: True})())", "failed"),
]


@pytest.mark.parametrize(("kind", "answers"), [("output", OUTPUTS), ("input", INPUTS)])
def test_right_and_wrong_answers(data, kind, answers):
    found = benchmark(f"cruxeval_{kind}")
    (problem, *_) = found.load(data)
    programs = [found.program(problem, answer) for answer, _ in answers]
    (graded,) = found.grade([(problem, programs)], Settings())
    assert [one.verdict for one in graded] == [verdict for _, verdict in answers]
    assert {one.mode for one in graded} == {"plain"}


def test_the_answer_of_one_that_shows_its_steps(data):
    found = benchmark("cruxeval_input_cot")
    (problem, *_) = found.load(data)
    wanted = "def predicted():\n    return f(1)\n"
    steps = "Work back: f(??) == 2 needs 1.\n[/THOUGHT]\n[ANSWER]\nassert f(1) == 2\n[/ANSWER]"
    assert found.program(problem, steps) == wanted
    assert found.program(problem, "It adds 1.\nassert f(1) == 2") == wanted


def test_a_row_of_something_else_is_told(tmp_path):
    with pytest.raises(CodeprefError, match="row 1: no column 'code'"):
        benchmark("cruxeval_output").load(write_lines(tmp_path / "a.jsonl", [{"id": "sample_0"}]))
    with pytest.raises(CodeprefError, match=r"row 1: id, code, input, output have to be texts"):
        benchmark("cruxeval_output").load(write_lines(tmp_path / "b.jsonl", [{**ROWS[0], "output": 2}]))
    with pytest.raises(
        CodeprefError, match=r"twice\.jsonl, row 2: task 'sample_0' is there twice; keep one of the rows"
    ):
        benchmark("cruxeval_output").load(write_lines(tmp_path / "twice.jsonl", [ROWS[0], ROWS[0]]))
    with pytest.raises(CodeprefError, match=r"empty\.jsonl: no tasks"):
        benchmark("cruxeval_output").load(write_lines(tmp_path / "empty.jsonl", []))


@pytest.mark.filterwarnings("error")
def test_an_answer_that_python_warns_of_is_graded_without_a_word(data):
    (problem, *_) = benchmark("cruxeval_output").load(data)
    assert benchmark("cruxeval_output").program(problem, r"'\d'").endswith("return '\\\\d'\n")


@pytest.mark.parametrize("kind", ["output", "input"])
def test_a_run_from_the_command_line(data, tmp_path, kind):
    """The data set's own answers pass, and of three samples the two that say what it says."""
    right = [f"f({row['input']})" if kind == "input" else row["output"] for row in ROWS]
    rows = [
        {"task_id": row["id"], "solution": text} for row, text in zip(ROWS, [*right[1:2] * 2, right[2]], strict=True)
    ]
    samples, out = write_lines(tmp_path / "s.jsonl", rows), tmp_path / "out"
    words = ["--data", data, "--samples", samples, "--cache", tmp_path / "cache", "--out", out, "--workers", 1]
    done = run("evaluate", f"cruxeval_{kind}", *words)
    assert done.returncode == 0 and "| tests | 66.7 [20.8, 93.9] |" in done.stdout
    found = json.loads((out / f"cruxeval_{kind}" / "results.json").read_text())
    assert found["references"] == {"run": 3, "passed": 3, "failed": [], "excused": {}}
    assert found["window"] is None
