"""Whole programs that read standard input: how they are run, judged outside, and told about. Attacks: test_attacks.py."""

import json

import pytest

from codepref.sandbox import Cell, Job, Limits, Sandbox
from codepref.sandbox.explain import plan_words, trace_words
from codepref.sandbox.trial import last_words
from codepref.stdin import StdinTest

pytestmark = pytest.mark.timeout(120)
LIMITS = Limits(cpu_s=0.5, wall_s=3.0)
ADD = "a, b = map(int, input().split())\nprint(a + b)\n"


def case(given: str, output: str, tolerance: float = 0.0) -> str:
    return StdinTest(given, (output,), tolerance).text


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(LIMITS) as made:
        yield made


def cell(sandbox: Sandbox, code: str, test: str) -> Cell:
    return sandbox.run(Job("job", (code,), (test,))).cells[0][0]


def test_verdicts_modes_and_words(sandbox: Sandbox) -> None:
    tests = (case("2 3\n", "5\n"), case("2 3\n", "6\n"), case("2\n", "2\n"))
    right, wrong, raised = sandbox.run(Job("job", (ADD,), tests)).cells[0]
    assert (right.verdict, right.mode, right.error) == ("passed", "plain", "")
    assert (wrong.verdict, wrong.mode, wrong.error) == ("failed", "plain", "line 1: expected '6', got '5'")
    assert raised.verdict == "failed"
    assert raised.error == "ValueError: not enough values to unpack (expected 2, got 1) (line 1, in <module>)"
    assert right.fingerprint == wrong.fingerprint != raised.fingerprint
    assert all(0.0 <= item.cpu_s < 0.5 for item in (right, wrong, raised))


@pytest.mark.parametrize(
    ("code", "verdict", "error"),
    [
        ("print(5)\nraise SystemExit(3)", "failed", "exit status 3"),
        ("import sys\nsys.exit('no\\nway')", "failed", "exit status 1: way"),
        ("def main(", "failed", "SyntaxError: the code does not compile"),
        ("while True: pass", "timeout", "CPU limit"),
        ("import time\ntime.sleep(99)", "timeout", "wall limit"),
        ("while True: print('x' * 999)", "output", "more output than the limit allows"),
        ("x = ' ' * (1 << 34)", "memory", "MemoryError"),
        ("print(5, flush=True)\nimport os\nos.kill(os.getpid(), 11)", "crashed", "SIGSEGV"),
    ],
)
def test_ends_in_the_words_of_all_cells(sandbox: Sandbox, code: str, verdict: str, error: str) -> None:
    found = cell(sandbox, code, case("", "5"))
    assert (found.verdict, found.error) == (verdict, error)


def test_both_kinds_of_tests_in_one_job(sandbox: Sandbox) -> None:
    code = "def f(x):\n    return x + 1\nif __name__ == '__main__':\n    print(f(int(input())))\n"
    matrix = sandbox.run(Job("job", (code, ADD), (case("1", "2"), "assert f(1) == 2", "assert True"), "f"))
    assert [[item.verdict for item in row] for row in matrix.cells] == [
        ["passed", "passed", "unjudged"],
        ["failed", "failed", "unjudged"],
    ]
    assert matrix.blind == (2,)


@pytest.mark.parametrize("options", [{"lane": "code"}, {"lane": "strict"}, {"mode": "official"}, {"mode": "plain"}])
def test_lanes_and_modes_agree(sandbox: Sandbox, options: dict[str, str]) -> None:
    job = Job("job", (ADD, "print(1)", "1 / 0"), (case("2 3\n", "5\n"), case("1 0\n", "1\n")))
    with Sandbox(LIMITS, **options) as other:  # type: ignore[arg-type]
        found, wanted = other.run(job), sandbox.run(job)
    for row, expected in zip(found.cells, wanted.cells, strict=True):
        assert [(c.verdict, c.mode, c.fingerprint, c.error) for c in row] == [
            (c.verdict, c.mode, c.fingerprint, c.error) for c in expected
        ]


def test_megabytes_in_and_out(sandbox: Sandbox) -> None:
    code = "import sys\ndata = sys.stdin.read()\nprint(len(data))\nprint(data[:900000])\n"
    given = "1 " * 1_500_000
    assert cell(sandbox, code, case(given, "3000000\n" + given[:900_000])).verdict == "passed"
    assert cell(sandbox, "print(1)", case(given, "1")).verdict == "passed"  # never reads it
    assert cell(sandbox, code, case(given, "3000000\n" + given[:900_002])).verdict == "failed"


def test_output_up_to_the_limit_and_beyond() -> None:
    with Sandbox(Limits(output_bytes=10_000)) as small:
        assert cell(small, "print('x' * 9_999)", case("", "x" * 9_999)).verdict == "passed"
        assert cell(small, "print('x' * 10_000)", case("", "x" * 10_000)).verdict == "output"
        complaint = "import sys\nsys.stderr.write('x' * 9_999)\nprint('ab')"
        assert cell(small, complaint, case("", "ab")).verdict == "output"


def test_large_outputs_of_many_tests_come_over_whole(sandbox: Sandbox) -> None:
    code = "print(input() * 900_000)"
    tests = tuple(case(letter, letter * 900_000) for letter in "abcdefghijklmnopqrst")
    cells = sandbox.run(Job("job", (code,), (*tests, case("u", "v")))).cells[0]
    assert [item.verdict for item in cells] == ["passed"] * 20 + ["failed"]


def test_unseeded_programs_print_the_same_again(sandbox: Sandbox) -> None:
    code = "import random\nprint(random.random(), hash('x'), {'a', 'b', 'c'})"
    prints = {cell(sandbox, code, case("", "?")).fingerprint for _ in range(3)}
    assert len(prints) == 1


def test_a_program_is_main_with_the_names_of_the_interpreter(sandbox: Sandbox) -> None:
    code = (
        "import sys, __main__\n"
        "assert __name__ == '__main__' and __main__.__dict__ is globals()\n"
        "assert not sys.stdin.isatty() and sys.stdin.encoding == sys.stdout.encoding == 'utf-8'\n"
        "print(input('? '), 'é')\n"
        "quit()\n"
    )
    assert cell(sandbox, code, case("ü\n", "? ü é")).verdict == "passed"


def test_cpu_time_is_the_program_s(sandbox: Sandbox) -> None:
    code = "import time\nend = time.process_time() + {}\nwhile time.process_time() < end: pass\nprint(1)"
    slow, quick = (cell(sandbox, code.format(seconds), case("", "1")) for seconds in (0.2, 0.0))
    assert slow.verdict == quick.verdict == "passed"
    assert 0.19 <= slow.cpu_s < 0.4
    assert quick.cpu_s < 0.05


def test_the_expected_output_never_leaves_this_process(sandbox: Sandbox) -> None:
    _, plan, trace = sandbox.run_cell(ADD, case("2 3\n", "sought"), None)
    assert plan.steps == [("stdin", b"2 3\n")]
    assert trace.values == (b"5\n",)
    titles = dict(plan_words(plan))
    assert "sought" in titles["expected, outside of it"]
    assert "sought" not in titles["steps, in the candidate's process"]
    assert "printed: '5\\n'" in trace_words(plan, trace)


def test_last_words() -> None:
    trace = 'Traceback (most recent call last):\n  File "<solution>", line 7, in <module>\nKeyError: 1\n'
    assert last_words(trace, "exit status 1") == "KeyError: 1 (line 7, in <module>)"
    long = 'Traceback (most recent call last):\n  File "<solution>", line 7, in f\n\nKeyError: 1\nsee\n  a page\n'
    assert last_words(f"warning\n{trace}{long}", "exit status 1") == "KeyError: 1 (line 7, in f)"
    assert last_words("warning\n", "exit status 2") == "exit status 2: warning"
    assert last_words("\n", "exit status 2") == "exit status 2"
    assert len(last_words("x" * 9999, "exit status 2")) < 400


def test_json_with_other_keys_is_no_test(sandbox: Sandbox) -> None:
    found = cell(sandbox, ADD, json.dumps({"input": "2 3", "output": "5", "more": 1}))
    assert found.verdict == "unjudged"
