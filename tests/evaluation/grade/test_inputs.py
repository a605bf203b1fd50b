import dataclasses

import pytest
from evaluation_tiny import PROBLEMS, RIGHT, data

from codepref.errors import CodeprefError
from evaluation import humaneval
from evaluation import mbpp as mbpp_plus
from evaluation.benchmark import Settings
from evaluation.grade import inputs

EQUAL = (
    "class E:\n    def __eq__(s, o): return True\n    def __ne__(s, o): return False\n    def __hash__(s): return 0\n"
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings(cache=tmp_path_factory.mktemp("cache"), cpu_s=0.5)


@pytest.fixture(scope="module")
def problems(tmp_path_factory):
    return humaneval.load_plus(data(tmp_path_factory.mktemp("data")))


def verdicts(problem, programs, settings):
    (found,) = inputs.grade_inputs([(problem, programs)], settings)
    return [(graded.base_verdict, graded.plus_verdict) for graded in found]


def test_references_pass(problems, settings):
    work = [(problem, [program]) for problem, program in zip(problems, RIGHT, strict=True)]
    assert [graded[0].verdict for graded in inputs.grade_inputs(work, settings)] == ["passed"] * 3


def test_cheats_score_nothing(problems, settings):
    cheats = [
        EQUAL + "def add(a, b):\n    return E()\n",
        "class I(int):\n    def __eq__(s, o): return True\n    def __ne__(s, o): return False\ndef add(a, b):\n    return I(7)\n",
        "def add(a, b):\n    import sys; sys.exit(0)\n",
        "def add(a, b):\n    import os; os._exit(0)\n",
        "import atexit, os\natexit.register(os._exit, 0)\ndef add(a, b):\n    raise SystemExit(0)\n",
        "import builtins\nbuiltins.abs = lambda v: 0\ndef add(a, b):\n    return 10**9\n",
        "import sys\ndef add(a, b):\n    frame = sys._getframe(1)\n    return frame.f_locals.get('expected')\n",
    ]
    assert [base for base, _ in verdicts(problems[0], cheats, settings)].count("passed") == 0


def test_constants_from_the_prompt_pass_the_shown_tests_alone(problems, settings):
    assert verdicts(problems[0], ["def add(a, b):\n    return 3\n"], settings) == [("passed", "failed")]


def test_floats_are_compared_with_tolerance_and_integers_are_not(problems, settings):
    near, far = (f"def half(a):\n    return a / 2 + {d}\n" for d in ("1e-9", "1e-3"))
    assert verdicts(problems[1], [near, far], settings) == [("passed", "passed"), ("failed", "failed")]
    assert verdicts(problems[0], ["def add(a, b):\n    return a + b + 1e-9\n"], settings) == [("failed", "failed")]


def test_large_values_of_another_type_are_compared_whole(problems, settings):
    programs = [
        "def evens(n):\n    return [float(i) for i in range(0, n, 2)]\n",  # equal, but other bytes
        "def evens(n):\n    return list(range(0, n, 2))[:19_999] + [1] * (n > 39_998)\n",
    ]
    assert verdicts(problems[2], programs, settings) == [("passed", "passed"), ("passed", "failed")]


def test_arguments_a_program_changed_do_not_judge_it(settings):
    row = {
        "task_id": "HumanEval/32", "entry_point": "find_zero", "prompt": "def find_zero(xs):\n",
        "canonical_solution": "    return -xs[0] / xs[1]\n", "base_input": [[[1, 2]]], "plus_input": [[[3, 1]], [[-4, 2]]],
        "atol": 1e-4,
    }  # fmt: skip
    problem = humaneval._plus_problem(row, "row")
    other = "def find_zero(xs):\n    return round(-xs[0] / xs[1], 6)\n"
    cheat = "def find_zero(xs):\n    xs[:] = [0, 0]\n    return 1.0\n"
    assert verdicts(problem, [other, cheat], settings) == [("passed", "passed"), ("failed", "failed")]


def mbpp(number, name, code, base, plus, prompt="'''text'''\n"):
    row = {
        "task_id": f"Mbpp/{number}", "entry_point": name, "prompt": prompt, "canonical_solution": code,
        "base_input": base, "plus_input": plus, "atol": 0,
    }  # fmt: skip
    return mbpp_plus._plus_problem(row, "row")


def test_tasks_that_accept_more_than_one_answer(settings):
    shared = mbpp(
        2,
        "similar_elements",
        "def similar_elements(a, b):\n    return tuple(set(a) & set(b))\n",
        [[[1, 2], [2, 3]]],
        [[[1, 2, 3], [3, 2]]],
    )
    programs = [
        "def similar_elements(a, b):\n    return [x for x in b if x in a] * 2\n",
        "def similar_elements(a, b):\n    return list(a)\n",
        EQUAL + "def similar_elements(a, b):\n    return E()\n",
    ]
    assert [plus for _, plus in verdicts(shared, programs, settings)] == ["passed", "failed", "failed"]
    some = mbpp(
        737,
        "check_str",
        "import re\ndef check_str(s):\n    return re.match('[aeiou]', s)\n",
        [["annie"]],
        [["dawood"], ["else"]],
    )
    programs = ["def check_str(s):\n    return s[0] in 'aeiou'\n", "def check_str(s):\n    return True\n"]
    assert [plus for _, plus in verdicts(some, programs, settings)] == ["passed", "failed"]
    anything = mbpp(164, "are_equivalent", "def are_equivalent(a, b):\n    return a == b\n", [[1, 2]], [[3, 3]])
    programs = ["def are_equivalent(a, b):\n    return a != b\n", EQUAL + "def are_equivalent(a, b):\n    return E()\n"]
    assert [plus for _, plus in verdicts(anything, programs, settings)] == ["passed", "failed"]


def test_expected_values_are_kept_by_content(problems, settings):
    before = sorted(path.name for path in (settings.cache / "expected").iterdir())
    inputs.expected(problems, settings)
    assert sorted(path.name for path in (settings.cache / "expected").iterdir()) == before
    changed = dataclasses.replace(problems[0], row={**problems[0].row, "plus_input": [[7, 8]]})
    inputs.expected([changed], settings)
    assert len(list((settings.cache / "expected").iterdir())) == len(before) + 1


def test_a_reference_that_fails_is_named(problems, settings):
    broken = dataclasses.replace(
        problems[0], row={**problems[0].row, "program": "def add(a, b):\n    return c\n"}, reference="x"
    )
    with pytest.raises(CodeprefError, match=r"HumanEval/900: its reference failed on input 0: NameError"):
        inputs.expected([broken], settings)


def test_one_and_two_workers_agree(problems, settings):
    work = [(problem, [*RIGHT, "def add(a, b):\n    return a - b\n"]) for problem in problems]
    one, two = (list(inputs.grade_inputs(work, dataclasses.replace(settings, workers=n))) for n in (1, 2))
    strip = [[(g.verdict, g.base_verdict, g.plus_verdict, g.error) for g in row] for row in one]
    assert strip == [[(g.verdict, g.base_verdict, g.plus_verdict, g.error) for g in row] for row in two]
    assert len(PROBLEMS) == len(strip)


@pytest.fixture
def runs(monkeypatch):
    """Counts the looks and the runs under full limits that grading makes."""
    counted = {"look": 0, "call": 0}

    def counting(name, method):
        def run(self, *args, **named):
            counted[name] += 1
            return method(self, *args, **named)

        return run

    for name in counted:
        monkeypatch.setattr(inputs.Caller, name, counting(name, getattr(inputs.Caller, name)))
    return counted


def test_programs_that_differ_in_layout_alone_run_once(problems, settings, runs):
    verdicts(problems[0], RIGHT[:1], settings)  # so that the reference's values are there
    runs.update(look=0, call=0)
    programs = ["def add(a, b):\n    return b + a\n", "def add(a, b):  # any order\n\n    return (b + a)\n"]
    assert verdicts(problems[0], programs, settings) == [("passed", "passed")] * 2
    assert runs == {"look": 1, "call": 0}


def test_added_inputs_stay_open_where_the_original_ones_have_failed_and_they_do_not_end(problems, settings, runs):
    verdicts(problems[0], RIGHT[:1], settings)
    runs.update(look=0, call=0)
    shown = problems[0].row["base_input"]
    endless = f"def add(a, b):\n    while [a, b] not in {shown!r}:\n        pass\n    return None\n"
    (found,) = inputs.grade_inputs([(problems[0], [endless])], settings)
    assert [(g.verdict, g.base_verdict, g.plus_verdict) for g in found] == [("failed", "failed", None)]
    assert runs == {"look": 1, "call": 0}


def test_a_call_that_does_not_end_costs_its_full_limit_once(settings, runs):
    slow = "def slow(n):\n    for _ in range(n):\n        pass\n    return n\n"
    problem = mbpp(1, "slow", slow, [[1]], [[300_000 + i] for i in range(40)])
    inputs.expected([problem], settings)
    assert inputs.expected([problem], settings)["Mbpp/1"].totals_s[1] >= inputs.LONG_S
    runs.update(look=0, call=0)
    endless = "def slow(n):\n    while n > 300_004:\n        pass\n    return n\n"
    late = "def slow(n):\n    return n if n < 300_020 else 0\n"
    assert verdicts(problem, [endless, late], settings) == [("passed", "timeout"), ("passed", "failed")]
    assert runs == {"look": 2, "call": 2}
