"""Verdicts are those of plain Python, in every lane, for honest programs; own classes never equal a literal."""

import contextlib
import io
import textwrap

import pytest

from codepref.sandbox import Job, Limits, Sandbox

LIMITS = Limits(cpu_s=0.5, wall_s=3.0, memory_mb=256, output_bytes=1 << 16)
PROGRAMS = [
    textwrap.dedent(text)
    for text in (
        "def f(x):\n    return x",
        "def f(x):\n    return [x, x]",
        "def f(x):\n    yield x\n    yield x",
        "def f(x):\n    return float(x)",
        "def f(x):\n    raise ValueError(x)",
        "def f(x):\n    return {x: [x]}",
        "def f(x) return x",
        "count = 0\ndef f(x):\n    global count\n    count += 1\n    return count",
        "from decimal import Decimal\ndef f(x):\n    return Decimal(x)",
        "from collections import namedtuple, Counter\nP = namedtuple('P', 'a b')\ndef f(x):\n    return P(x, x)",
        "from collections import OrderedDict\ndef f(x):\n    return OrderedDict({x: [x]})",
        "class L(list):\n    pass\ndef f(x):\n    return L([x, x])",
        "def f(x):\n    return range(x, x + 2)",
        "def f(x):\n    return {x: x}.keys()",
        "def f(x):\n    return map(int, [x, x])",
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    a: int\ndef f(x):\n    return P(x)",
        "import math\ndef f(x):\n    return math.nan",
        "import enum\nclass E(enum.IntEnum):\n    A = 1\ndef f(x):\n    return E(x)",
        "import flask_is_not_here\ndef f(x):\n    return x",
        "def f(x):\n    print('x' * 100)\n    return x + 1e-9",
    )
]
TESTS = [
    "assert f(1) == 1",
    "assert f(1) == [1, 1]",
    "assert 1.0 == f(1)",
    "assert f(1) != 2",
    "assert f(1)",
    "assert not f(1)",
    "assert f(1) is None",
    "assert abs(f(1) - 1) < 1e-6",
    "assert list(f(1)) == [1, 1]",
    "assert set(f(1)) == {1}",
    "assert sorted(f(1), reverse=True) == [1, 1]",
    "assert sum(f(1)) == 2",
    "assert len(f(1)) == 2",
    "assert [x for x in f(1)] == [1, 1]",
    "assert isinstance(f(1), int)",
    "assert type(f(1)) == int",
    "assert f(1) == {1: [1]}",
    "assert f(1) == (1, 1)",
    "assert str(f(1)) == '1'",
    "assert round(f(1), 2) == 1",
    "assert f(1) == f(1)",
    "assert f(1) is f(1)",
    "assert f(1) in (1, 2)",
    "assert f(1) == 1 or f(2) == 3",
    "assert 0 < f(1) < 3",
    "assert f(1).a == 1",
    "assert all(f(i) == i for i in (1, 2))",
    "import math\nassert math.isclose(f(1), 1)",
    "expected = 1\nassert f(1) == expected",
    "try:\n    f(1)\n    assert False\nexcept ValueError:\n    pass",
    "assert f(1) == 1\nassert f(1) == 2",
    "assert list(map(f, [1])) == [1]",
    "assert undefined == f(1)",
    "assert repr(f(1)) == 'P(a=1, b=1)'",
    "assert True",
    "x = 3\nassert x == 4",
    "assert f(",
    "def test_it():\n    assert f(1) == 1",
]


ADDRESS = ("assert str(f(1)) == '1'", "assert repr(f(1)) == 'P(a=1, b=1)'")
"""The text of an object may hold its address, which differs from process to process."""
BLIND = ("assert True", "x = 3\nassert x == 4")


def plain_python(code, test):
    """The verdict of the obvious grader, for programs known to be harmless; a test that checks nothing has none."""
    if test in BLIND:
        return "unjudged"
    if test.startswith("def test_it"):
        test += "\ntest_it()"
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            exec(f"{code}\n{test}", {"__name__": "solution_of_test"})
        except Exception:
            return "failed"
    return "passed"


def test_verdicts_are_those_of_plain_python_in_every_lane():
    job = Job("all", tuple(PROGRAMS), tuple(TESTS), "f")
    expected = [[plain_python(code, test) for test in TESTS] for code in PROGRAMS]
    lanes = {}
    for lane in ("fast", "code", "strict"):
        with Sandbox(LIMITS, lane=lane) as sandbox:
            lanes[lane] = sandbox.run(job).cells
    for lane, cells in lanes.items():
        wrong = [
            (code, test, cell.verdict, cell.mode, cell.error)
            for code, row, wanted in zip(PROGRAMS, cells, expected, strict=True)
            for test, cell, verdict in zip(TESTS, row, wanted, strict=True)
            if cell.verdict != verdict
        ]
        assert wrong == [], lane
        for row, reference in zip(cells, lanes["strict"], strict=True):
            assert [(c.verdict, c.mode) for c in row] == [(c.verdict, c.mode) for c in reference]
            for test, cell, other in zip(TESTS, row, reference, strict=True):
                assert cell.fingerprint == other.fingerprint or test in ADDRESS


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(LIMITS) as open_:
        yield open_


def verdicts(sandbox, code, *tests):
    return [cell.verdict for cell in sandbox.run(Job("job", (code,), tests, "f")).cells[0]]


LIAR = """
class Liar:
    def __eq__(self, other): return True
    def __lt__(self, other): return True
    def __sub__(self, other): return 0
    def __abs__(self): return 0
    def __bool__(self): return True
    __class__ = int
def f(x): return Liar()
"""


def test_an_object_that_equals_everything_equals_no_literal(sandbox):
    tests = ("assert f(1) == 5", "assert abs(f(1) - 5) < 1e-6", "assert f(1) in [5]", "assert isinstance(f(1), int)")
    assert verdicts(sandbox, LIAR, *tests) == ["failed"] * 4
    nested = LIAR + "g = f\ndef f(x): return [g(x)]"
    assert verdicts(sandbox, nested, "assert f(1) == [5]", "assert f(1)[0] == 5") == ["failed"] * 2


def test_closed_set_of_verdicts(sandbox):
    assert verdicts(sandbox, "def f(x):\n    while True: pass", "assert f(1) == 1") == ["timeout"]
    assert verdicts(sandbox, "def f(x):\n    return [0] * (1 << 34)", "assert f(1) == 1") == ["memory"]
    assert verdicts(sandbox, "def f(x):\n    print('x' * (1 << 20))", "assert f(1) is None") == ["output"]
    assert verdicts(sandbox, "def f(x):\n    return 'x' * (1 << 20)", "assert f(1) == ''") == ["output"]
    assert verdicts(sandbox, "import os\ndef f(x):\n    os._exit(0)", "assert f(1) is None") == ["crashed"]
    assert verdicts(sandbox, "import os\ndef f(x):\n    os.kill(os.getpid(), 11)", "assert f(1)") == ["crashed"]
    assert verdicts(sandbox, "import time\ndef f(x):\n    time.sleep(99)", "assert f(1)") == ["timeout"]


def test_a_stopped_neighbour_does_not_matter(sandbox):
    codes = (
        "def f(x):\n    while True: pass", "def f(x):\n    return x", "import os\nos._exit(1)",
        "def f(x):\n    return x + 0", "def f(x):\n    return [0] * (1 << 34)", "def f(x):\n    return x + 1",
    )  # fmt: skip
    cells = sandbox.run(Job("mixed", codes, ("assert f(1) == 1", "assert f(2) == 2"), "f")).cells
    assert [[cell.verdict for cell in row] for row in cells] == [
        ["timeout"] * 2, ["passed"] * 2, ["crashed"] * 2, ["passed"] * 2, ["memory"] * 2, ["failed"] * 2,
    ]  # fmt: skip


def test_slow_among_quick_ones_gets_its_full_time():
    """Also where it fails a test that is itself wrong: nothing but a time-out at the full limit proves it endless."""
    slow = "def f(x):\n    n = 0\n    for i in range(3_000_000 if x else 0): n += i\n    return x"
    codes = (
        slow,
        *(f"def f(x):\n    return x + {i} - {i}" for i in range(5)),
        "def f(x):\n    while x: pass\n    return x",
    )
    tests = ("assert f(0) == 5", "assert f(1) == 1", "assert f(2) == 2", "assert f(0) == 0")
    with Sandbox(Limits(cpu_s=2.0, screen_s=0.02)) as patient:
        cells = patient.run(Job("slow", codes, tests, "f")).cells
    verdicts = [[cell.verdict for cell in row] for row in cells]
    assert verdicts[:6] == [["failed", "passed", "passed", "passed"]] * 6
    assert verdicts[6] == ["failed", "timeout", "timeout", "passed"]


def test_the_second_operand_of_or_may_hang(sandbox):
    code = "def f(x):\n    while x: pass\n    return x"
    assert verdicts(sandbox, code, "assert f(0) == 0 or f(1) == 1", "assert f(0) == 1 or f(1) == 1") == [
        "passed",
        "timeout",
    ]


def test_state_is_fresh_for_every_test(sandbox):
    counter = "import math\ndef f(x):\n    math.n = getattr(math, 'n', 0) + 1\n    return math.n"
    assert (
        verdicts(sandbox, counter, "assert f(1) == 1", "assert f(1) == 1", "assert f(1) + f(1) == 3") == ["passed"] * 3
    )


def test_duplicates_share_a_row_and_empty_jobs_are_empty(sandbox):
    code = "def f(x):\n    return x"
    matrix = sandbox.run(Job("twice", (code, code), ("assert f(1) == 1",), "f"))
    assert matrix.cells[0] == matrix.cells[1]
    assert sandbox.run(Job("none", (), ("assert f(1)",))).cells == ()
    assert sandbox.run(Job("none", (code,), ())).cells == ((),)


def test_modes():
    code = "def f(x):\n    return x"
    tests = (
        "assert f(1) == 1", "for i in range(2):\n    assert f(i) == i", "import random\nrandom.seed(1)\nassert f(1) == 1",
    )  # fmt: skip
    for mode, wanted in {
        "auto": [("passed", "plain"), ("passed", "plain"), ("passed", "official")],
        "plain": [("passed", "plain"), ("passed", "plain"), ("unjudged", "official")],
        "official": [("passed", "official")] * 3,
    }.items():
        with Sandbox(LIMITS, mode=mode) as open_:
            cells = open_.run(Job("modes", (code,), tests, "f")).cells[0]
        assert [(cell.verdict, cell.mode) for cell in cells] == wanted


def test_a_closed_sandbox_says_so():
    with Sandbox(LIMITS) as closed:
        pass
    with pytest.raises(ValueError, match="closed"):
        closed.run(Job("late", (), ()))
    with pytest.raises(ValueError, match="lane"):
        Sandbox(lane="quick")


CHILDREN = """
import os, time
def f(own, shared):
    block = bytes(1) * (shared << 20)
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            mine = bytes(1) * (own << 20)
            time.sleep(0.5)
            os._exit(len(mine) != own << 20)
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
"""


def test_memory_of_all_processes_together_is_bounded_and_shared_pages_count_once():
    tests = ("assert f(150, 0) == [0] * 4", "assert f(1, 150) == [0] * 4")
    with Sandbox(Limits(memory_mb=256), profile="library") as sandbox:
        if "pid-namespace" not in sandbox.layers:
            pytest.skip("needs namespaces")
        cells = sandbox.run(Job("memory", (CHILDREN,), tests, "f")).cells[0]
    assert [(cell.verdict, cell.error) for cell in cells] == [("crashed", "SIGKILL"), ("passed", "")]


def test_heavy_libraries_are_loaded_as_candidates_ask_for_them():
    pytest.importorskip("pandas")
    codes = (
        "import numpy as np\ndef f(x):\n    return int(np.array([x]).sum())",
        "def f(x):\n    return x\nimport numpy as np\nimport a_module_that_is_not_here",
        "def f(x):\n    return x\nimport numpy",
    )
    tests = ("assert f(1) == 1",)
    another = "import pandas\ndef f(x):\n    return int(pandas.Series([x]).sum())"
    for lane in ("fast", "strict"):
        with Sandbox(LIMITS, lane=lane) as patient:
            first = [row[0].verdict for row in patient.run(Job("a", codes, tests, "f")).cells]
            assert first == ["passed", "failed", "passed"]
            assert verdicts(patient, another, *tests) == ["passed"]


def test_a_stopped_cell_of_a_played_test_is_run_again_with_its_full_time():
    """Also under a short first limit, beside codes that pass the same test."""
    slow = "def f(x):\n    n = 0\n    for i in range(3_000_000 if x else 0): n += i\n    return x"
    codes = (
        slow,
        "def f(x):\n    return x",
        "def f(x):\n    return x + 0",
        "def f(x):\n    while x: pass\n    return x",
    )
    tests = ("for x in (0, 1):\n    assert f(x) == x", "x = f(1)\ny = f(0)\nassert x == y + 1")
    with Sandbox(Limits(cpu_s=2.0, screen_s=0.02)) as patient:
        cells = patient.run(Job("slow", codes, tests, "f")).cells
    assert [[cell.verdict for cell in row] for row in cells] == [*[["passed"] * 2] * 3, ["timeout"] * 2]


def test_an_unseeded_program_behaves_the_same_in_every_run(sandbox):
    code = "import random\ndef f(x):\n    return random.random()"
    cells = [cell for _ in range(2) for cell in sandbox.run(Job("r", (code,), ("assert f(1) == f(1)",) * 2)).cells[0]]
    assert len({cell.fingerprint for cell in cells}) == 1
