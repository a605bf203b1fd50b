"""Conformance battery: what every sandbox must do, whatever its lane, profile or platform.

`CHECKS` are functions of one open sandbox, which they share; those on values and their fingerprints are in
battery_values.py, those on forms of tests in battery_forms.py. `FACTORY_CHECKS` are functions of a factory that makes
sandboxes with other limits: `make(Limits(...))` gives a context manager. A check passes by returning.
"""

from collections.abc import Callable, Iterable

import pytest

from codepref.sandbox import VERDICTS, Cell, Job, Limits, Sandbox

Factory = Callable[[Limits], Sandbox]

INCREMENT = "def f(x):\n    return x + 1\n"
ECHO = "def f(x):\n    return x\n"
LOOP = "def f(x):\n    while True:\n        pass\n"
CRASH = "import os\ndef f(x):\n    os.abort()\n"


def cells(sandbox: Sandbox, code: str, *tests: str) -> tuple[Cell, ...]:
    """One code on some tests."""
    return sandbox.run(Job("check", (code,), tests, "f")).cells[0]


def verdicts(sandbox: Sandbox, code: str, *tests: str) -> list[str]:
    return [cell.verdict for cell in cells(sandbox, code, *tests)]


def one(sandbox: Sandbox, code: str, test: str) -> Cell:
    return cells(sandbox, code, test)[0]


def all_alike(sandbox: Sandbox, code: str, tests: Iterable[str], verdict: str) -> None:
    tests = tuple(tests)
    found = dict(zip(tests, verdicts(sandbox, code, *tests), strict=True))
    wrong = {test: other for test, other in found.items() if other != verdict}
    assert not wrong, f"expected {verdict}: {wrong}"


# ---- the closed set of verdicts


def check_passed(sandbox: Sandbox) -> None:
    cell = one(sandbox, INCREMENT, "assert f(1) == 2")
    assert (cell.verdict, cell.mode, cell.error) == ("passed", "plain", "")


def check_failed_by_value(sandbox: Sandbox) -> None:
    cell = one(sandbox, INCREMENT, "assert f(1) == 3")
    assert (cell.verdict, cell.mode) == ("failed", "plain")


def check_failed_by_exception(sandbox: Sandbox) -> None:
    cell = one(sandbox, "def f(x):\n    raise KeyError('lost key')\n", "assert f(1) == 3")
    assert cell.verdict == "failed"
    assert "KeyError" in cell.error


def check_failed_without_compiling(sandbox: Sandbox) -> None:
    cell = one(sandbox, "def f(x:\n", "assert f(1) == 2")
    assert cell.verdict == "failed"
    assert "SyntaxError" in cell.error


def check_failed_in_module_body(sandbox: Sandbox) -> None:
    cell = one(sandbox, INCREMENT + "1 / 0\n", "assert f(1) == 2")
    assert cell.verdict == "failed"
    assert "ZeroDivisionError" in cell.error


def check_failed_by_missing_import(sandbox: Sandbox) -> None:
    cell = one(sandbox, "import a_module_that_nobody_has\n" + INCREMENT, "assert f(1) == 2")
    assert cell.verdict == "failed"
    assert "a_module_that_nobody_has" in cell.error


def check_failed_without_entry_point(sandbox: Sandbox) -> None:
    cell = one(sandbox, "def g(x):\n    return x\n", "assert f(1) == 1")
    assert cell.verdict == "failed"
    assert "NameError" in cell.error


def check_test_that_does_not_compile(sandbox: Sandbox) -> None:
    assert verdicts(sandbox, INCREMENT, "assert f(1) ==", "assert f(1) == 2", "  assert f(") == [
        "failed",
        "passed",
        "failed",
    ]


def check_test_that_raises(sandbox: Sandbox) -> None:
    assert verdicts(sandbox, INCREMENT, "assert f(1) == nobody", "assert f(1) == 2") == ["failed", "passed"]


def check_timeout_by_loop(sandbox: Sandbox) -> None:
    assert verdicts(sandbox, LOOP, "assert f(1) == 2") == ["timeout"]


def check_timeout_by_sleep(sandbox: Sandbox) -> None:
    assert verdicts(sandbox, "import time\ndef f(x):\n    time.sleep(1e4)\n", "assert f(1) == 2") == ["timeout"]


def check_timeout_in_module_body(sandbox: Sandbox) -> None:
    assert verdicts(sandbox, "while True:\n    pass\n", "assert f(1) == 2") == ["timeout"]


def check_memory(sandbox: Sandbox) -> None:
    code = "def f(x):\n    return len([0] * (1 << 32))\n"
    assert verdicts(sandbox, code, "assert f(1) == 2") == ["memory"]


def check_output_by_printing(sandbox: Sandbox) -> None:
    code = "def f(x):\n    while True:\n        print('x' * 1000)\n"
    assert verdicts(sandbox, code, "assert f(1) == 2") == ["output"]


def check_output_by_returning(sandbox: Sandbox) -> None:
    code = "def f(x):\n    return 'x' * (8 << 20)\n"
    assert verdicts(sandbox, code, "assert f(1) == 'y'") == ["output"]


def check_output_within_limit(sandbox: Sandbox) -> None:
    code = "def f(x):\n    print('x' * 500_000)\n    return 'y' * 500_000\n"
    assert verdicts(sandbox, code, "assert f(1) == 'y' * 500_000") == ["passed"]


def check_crashed_by_abort(sandbox: Sandbox) -> None:
    cell = one(sandbox, CRASH, "assert f(1) == 2")
    assert cell.verdict == "crashed"
    assert cell.error


def check_crashed_by_exit(sandbox: Sandbox) -> None:
    assert verdicts(sandbox, "import os\ndef f(x):\n    os._exit(0)\n", "assert f(1) == 2") == ["crashed"]


# ---- shape and order


def check_empty_job(sandbox: Sandbox) -> None:
    matrix = sandbox.run(Job("empty", (), ()))
    assert (matrix.job_id, matrix.cells) == ("empty", ())


def check_no_tests(sandbox: Sandbox) -> None:
    assert sandbox.run(Job("j", (INCREMENT, ECHO), ())).cells == ((), ())


def check_no_codes(sandbox: Sandbox) -> None:
    assert sandbox.run(Job("j", (), ("assert f(1) == 2",))).cells == ()


def check_empty_code_and_test(sandbox: Sandbox) -> None:
    assert verdicts(sandbox, "", "assert f(1) == 2") == ["failed"]
    assert verdicts(sandbox, INCREMENT, "", "assert f(1) == 2")[1] == "passed"


def check_order_of_cells(sandbox: Sandbox) -> None:
    codes = tuple(f"def f(x):\n    return x * {n}\n" for n in range(7))
    tests = tuple(f"assert f(2) == {2 * n}" for n in range(5))
    found = [[cell.verdict for cell in row] for row in sandbox.run(Job("order", codes, tests, "f")).cells]
    assert found == [["passed" if i == j else "failed" for j in range(5)] for i in range(7)]


def check_duplicate_codes_and_tests(sandbox: Sandbox) -> None:
    matrix = sandbox.run(Job("twice", (INCREMENT, ECHO) * 3, ("assert f(1) == 2", "assert f(1) == 1") * 2, "f"))
    expected = [["passed", "failed"] * 2, ["failed", "passed"] * 2] * 3
    assert [[cell.verdict for cell in row] for row in matrix.cells] == expected


def check_big_matrix(sandbox: Sandbox) -> None:
    codes = tuple(f"def f(x):\n    return x + {n}\n" for n in range(30))
    tests = tuple(f"assert f({n}) == {n + 7}" for n in range(30))
    matrix = sandbox.run(Job("big", codes, tests, "f"))
    assert [{cell.verdict for cell in row} for row in matrix.cells] == [
        {"passed" if n == 7 else "failed"} for n in range(30)
    ]


def check_many_tests_with_one_hang(sandbox: Sandbox) -> None:
    code = "def f(x):\n    while x == 20:\n        pass\n    return x\n"
    found = verdicts(sandbox, code, *(f"assert f({n}) == {n}" for n in range(40)))
    assert [n for n in range(40) if found[n] != "passed"] == [20]
    assert found[20] == "timeout"


def check_many_tests_with_one_crash(sandbox: Sandbox) -> None:
    code = "import os\ndef f(x):\n    if x == 20:\n        os.abort()\n    return x\n"
    found = verdicts(sandbox, code, *(f"assert f({n}) == {n}" for n in range(40)))
    assert [n for n in range(40) if found[n] != "passed"] == [20]
    assert found[20] == "crashed"


def check_names_no_entry_point(sandbox: Sandbox) -> None:
    matrix = sandbox.run(Job("none", (INCREMENT,), ("assert f(1) == 2", "assert f(1) == 3"), None))
    assert [cell.verdict for cell in matrix.cells[0]] == ["passed", "failed"]


def check_long_texts(sandbox: Sandbox) -> None:
    values = list(range(20_000))
    code = f"TABLE = {values}\ndef f(x):\n    return TABLE[x:]\n"
    assert verdicts(sandbox, code, f"assert f(0) == {values}", f"assert f(1) == {values}") == ["passed", "failed"]


def check_texts_that_choke_parsers(sandbox: Sandbox) -> None:
    bombs = (
        "-" * 100_000 + "1",
        "[" * 5000 + "]" * 5000,
        "(" * 3000 + ")" * 3000,
        "1+" * 50_000 + "1",
        "x" * (1 << 20),
    )
    for bomb in bombs:
        matrix = sandbox.run(
            Job("bomb", (INCREMENT, f"y = {bomb}\n" + INCREMENT), (f"assert f(1) == {bomb}", "assert f(1) == 2"))
        )
        (on_test, plain), (_, after) = ([cell.verdict for cell in row] for row in matrix.cells)
        assert on_test != "passed"
        assert plain == "passed"
        assert {on_test, after} <= set(VERDICTS) - {"unjudged"}


def check_null_characters(sandbox: Sandbox) -> None:
    assert verdicts(sandbox, "x = '\0'\n" + INCREMENT, "assert f(1) == 2") == ["failed"]
    assert verdicts(sandbox, INCREMENT, "assert f(1) == 2\0", "assert f(1) == 2") == ["failed", "passed"]


def check_unicode_texts(sandbox: Sandbox) -> None:
    code = "def f(größe):\n    return größe + '✓\\U0001f600'\n"
    assert verdicts(sandbox, code, "assert f('日本') == '日本✓😀'", "assert f('') == '✓'") == ["passed", "failed"]


def check_lone_surrogates(sandbox: Sandbox) -> None:
    assert verdicts(sandbox, "x = '\udcff'\n" + INCREMENT, "assert f(1) == 2")[0] in ("failed", "passed")
    assert verdicts(sandbox, ECHO, "assert f('\\udcff') == '\\udcff'", "assert f('\udcff') == 1")[0] == "passed"


def check_line_ends(sandbox: Sandbox) -> None:
    code = INCREMENT.replace("\n", "\r\n")
    good = (
        "\n\nassert f(1) == 2\r\n",
        "assert (f(1) ==\r\n  2)",
        "assert (f(1) ==\r  2)",
        "assert (f('é' and 1)\n == 2)",
    )
    all_alike(sandbox, code, good, "passed")
    all_alike(sandbox, code, (test.replace("2", "3") for test in good), "failed")


# ---- one test never sees another


def check_fresh_globals(sandbox: Sandbox) -> None:
    code = (
        "calls = []\ndef f(x, seen=[]):\n    calls.append(x)\n    seen.append(x)\n    return len(calls) + len(seen)\n"
    )
    all_alike(sandbox, code, ("assert f(1) == 2", "assert f(1)  == 2", "f(0)\nassert f(1) == 4"), "passed")


def check_fresh_modules(sandbox: Sandbox) -> None:
    code = "import math\nmath.count = getattr(math, 'count', 0) + 1\ndef f(x):\n    return math.count\n"
    all_alike(sandbox, code, ("assert f(1) == 1", "assert f(2) == 1", "assert f(3) == 1"), "passed")


def check_candidates_do_not_meet(sandbox: Sandbox) -> None:
    first = "import math, builtins\nmath.pi = 3\nbuiltins.sum = None\ndef f(x):\n    return 3.14\n"
    second = "import math\ndef f(x):\n    return round(sum([math.pi]), 2)\n"
    for codes in ((first, second), (second, first), (first, second, first, second)):
        matrix = sandbox.run(Job("meet", codes, ("assert f(1) == 3.14",), "f"))
        assert [row[0].verdict for row in matrix.cells] == ["passed"] * len(codes)


def check_arguments_change_within_a_test_only(sandbox: Sandbox) -> None:
    code = "def f(x):\n    x.append(len(x))\n    return x\n"
    tests = ("a = []\nf(a)\nassert f(a) == [0, 1]", "assert f([]) == [0]", "a = [5]\nassert f(a) is a")
    all_alike(sandbox, code, tests, "passed")


# ---- life cycle


def check_recovers_after_trouble(sandbox: Sandbox) -> None:
    for code in (CRASH, LOOP, "raise SystemExit\n", "import os\nos.kill(os.getppid(), 9)\n" + INCREMENT):
        cells(sandbox, code, "assert f(1) == 2")
        assert verdicts(sandbox, INCREMENT, "assert f(1) == 2", "assert f(1) == 1") == ["passed", "failed"]


def check_repeats_itself(sandbox: Sandbox) -> None:
    codes = (INCREMENT, ECHO, CRASH, LOOP, "def f(x:\n", "def f(x):\n    return {x, 'a', None, 2.5}\n")
    job = Job("again", codes, ("assert f(1) == 2", "assert f(1) == 1", "assert f(2) == {2, 'a', None, 2.5}"), "f")
    runs = [[[(c.verdict, c.mode, c.fingerprint) for c in row] for row in sandbox.run(job).cells] for _ in range(3)]
    assert runs[0] == runs[1] == runs[2]


def cpu_limit(make: Factory) -> None:
    burn = "import time\ndef f(x):\n    end = time.process_time() + x\n    while time.process_time() < end:\n        pass\n    return x\n"
    tests = ("assert f(0.1) == 0.1", "assert f(1.0) == 1.0")
    with make(Limits(cpu_s=0.5)) as short, make(Limits(cpu_s=5.0)) as long:
        assert verdicts(short, burn, *tests) == ["passed", "timeout"]
        assert verdicts(long, burn, *tests) == ["passed", "passed"]


def slow_code_among_quick_ones(make: Factory) -> None:
    """A code within its own limit passes, however quick the others are."""
    slow = "def f(x):\n    t = 0\n    for i in range(6_000_000):\n        t += i\n    return x\n"
    codes = (slow, *(f"def f(x):\n    return x + {n}\n" for n in range(6)))
    with make(Limits(cpu_s=5.0)) as sandbox:
        found = sandbox.run(Job("slow", codes, ("assert f(1) == 1",), "f")).cells
    assert [row[0].verdict for row in found] == ["passed", "passed", *["failed"] * 5]


def wall_limit(make: Factory) -> None:
    code = "import time\ndef f(x):\n    time.sleep(x)\n    return x\n"
    with make(Limits(wall_s=1.5)) as sandbox:
        assert verdicts(sandbox, code, "assert f(0.1) == 0.1", "assert f(60) == 60") == ["passed", "timeout"]


def memory_limit(make: Factory) -> None:
    code = "def f(mb):\n    return len(bytearray(mb << 20)) >> 20\n"
    tests = ("assert f(16) == 16", "assert f(300) == 300")
    # touching that much memory may take a busy machine longer than the usual limit
    with make(Limits(cpu_s=10.0, memory_mb=256)) as small, make(Limits(cpu_s=10.0, memory_mb=1024)) as large:
        assert verdicts(small, code, *tests) == ["passed", "memory"]
        assert verdicts(large, code, *tests) == ["passed", "passed"]


def output_limit(make: Factory) -> None:
    code = "def f(n):\n    print('x' * n)\n    return n\ndef g(n):\n    return 'x' * n\n"
    tests = (
        "assert f(1000) == 1000",
        "assert f(20_000) == 20_000",
        "assert len(g(1000)) == 1000",
        "assert g(20_000) == ''",
    )
    with make(Limits(output_bytes=10_000)) as sandbox:
        assert verdicts(sandbox, code, *tests) == ["passed", "output", "passed", "output"]


def refuses_after_close(make: Factory) -> None:
    with make(Limits()) as sandbox:
        assert verdicts(sandbox, INCREMENT, "assert f(1) == 2") == ["passed"]
    with pytest.raises((RuntimeError, ValueError)):
        sandbox.run(Job("late", (INCREMENT,), ("assert f(1) == 2",), "f"))
    sandbox.close()  # closing twice is harmless


def two_at_a_time(make: Factory) -> None:
    with make(Limits()) as first, make(Limits()) as second:
        assert verdicts(first, CRASH, "assert f(1) == 2") == ["crashed"]
        assert verdicts(second, INCREMENT, "assert f(1) == 2") == ["passed"]
        first.close()
        assert verdicts(second, INCREMENT, "assert f(1) == 2") == ["passed"]


CHECKS = tuple(value for name, value in list(globals().items()) if name.startswith("check_"))
FACTORY_CHECKS = (
    cpu_limit,
    slow_code_among_quick_ones,
    wall_limit,
    memory_limit,
    output_limit,
    refuses_after_close,
    two_at_a_time,
)
