import pytest

from evaluation import bigcodebench, ds1000
from evaluation.benchmark import Problem, Settings

SETTINGS = Settings(memory_mb=1024)
CONTEXT = '''
def generate_test_case(number):
    return [3, 1, 2], [1, 2, 3]

def exec_test(result, ans):
    return int(result == ans)

exec_context = """
data = test_input
[insert]
"""

def test_execution(solution):
    test_input, expected = generate_test_case(1)
    env = {"test_input": test_input}
    exec(exec_context.replace("[insert]", solution), env)
    assert exec_test(env["result"], expected)

def test_string(solution):
    assert "while" not in solution
'''
EQUAL = "class E:\n    def __eq__(s, o): return True\n    def __ne__(s, o): return False\n    def __bool__(s): return True\n"


def test_data_science_answers(monkeypatch):
    monkeypatch.setattr(ds1000, "SUITE", ds1000.official.Suite((), 5.0, 20.0, 512, ds1000.parts))
    problem = Problem("0", "", "result = sorted(data)", row={"code_context": CONTEXT})
    answers = [
        "result = sorted(data)",
        "result = data",
        "",
        "while False: pass\nresult = sorted(data)",
        "import sys; sys.exit(0)",
        "import os; os._exit(0)",
        EQUAL + "result = E()",
        "def f(:",
    ]
    (found,) = ds1000.grade([(problem, answers)], SETTINGS)
    assert [graded.verdict for graded in found] == ["passed", *["failed"] * 4, "crashed", "failed", "failed"]
    assert {graded.mode for graded in found} == {"official"}
    assert "compares itself" in found[6].error


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x = 1\n</code>\nEND SOLUTION", "x = 1\n"),
        ("```python\nx = 1\n```\nas you see", "\nx = 1\n"),
        ("<code>\nx = 1\n</code>", "\nx = 1\n"),
        ("x = 1\nEND SOLUTION\ny", "x = 1"),
    ],
)
def test_code_in_answers_by_the_official_rules(text, code):
    assert ds1000.program(Problem("0", "", ""), text) == code


TEST = """
import unittest
class TestCases(unittest.TestCase):
    def test_value(self):
        self.assertEqual(task_func(2), 4)
    def test_file(self):
        with open("x.txt", "w") as file:
            file.write("a")
        self.assertTrue(os.path.exists("x.txt"))
    def test_almost(self):
        self.assertAlmostEqual(task_func(0.5), 1.0)
"""


def test_unittest_suites(monkeypatch):
    monkeypatch.setattr(
        bigcodebench, "SUITE", bigcodebench.official.Suite(("unittest",), 5.0, 20.0, 512, bigcodebench.parts)
    )
    problem = Problem(
        "BigCodeBench/0", "def task_func(x):\n", "    return 2 * x\n", "task_func",
        row={"code_prompt": "import math\ndef task_func(x):\n", "test": TEST, "instruct_prompt": ""},
    )  # fmt: skip
    solutions = [
        "def task_func(x):\n    return 2 * x",
        "def task_func(x):\n    return math.floor(2 * x) if x > 1 else math.pow(x, 0)",
        "def task_func(x):\n    return x",
        "",
        EQUAL + "def task_func(x):\n    return E()",
        "import os\ndef task_func(x):\n    os._exit(0)",
        "raise SystemExit(0)",
    ]
    programs = [bigcodebench.program(problem, text) for text in solutions] + [bigcodebench.reference(problem)]
    (found,) = bigcodebench.grade([(problem, programs)], SETTINGS)
    verdicts = ["passed", "passed", "failed", "failed", "failed", "crashed", "failed", "passed"]
    assert [graded.verdict for graded in found] == verdicts
    assert "test_value" in found[2].error
