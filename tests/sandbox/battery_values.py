"""Conformance battery, second part: values compare as in Python; fingerprints, costs and error texts are sane."""

import math

import pytest
from battery import ECHO, INCREMENT, all_alike, cells, one

from codepref.sandbox import Job, Sandbox

# ---- comparing values as Python does

TRUE = """1 == True; 1 == 1.0; 0.0 == -0.0; 2**70 == 1180591620717411303424; 1e16 == 10**16; (1, 2) == (1, 2); [] == [];
{1: 2} == {1.0: 2}; {3, 1} == {1, 3}; frozenset({1}) == {1}; b'a' == b'a'; bytearray(b'a') == b'a'; 1j == 1j; None == None;
'' == ''; 'é' == '\\u00e9'; float('inf') == 1e999; [1, (2, {3: {4}})] == [1, (2, {3: {4}})]; 3 != 4; 'ab' in 'cabd';
range(3) == range(0, 3)"""
FALSE = """1 == 2; [1] == (1,); '1' == 1; b'a' == 'a'; [1, 2] == [2, 1]; {1: 2} == {1: 3}; {1} == [1]; None == 0; '' == None;
float('nan') == float('nan'); 0.1 + 0.2 == 0.3; 2**53 + 1 == float(2**53); 1 == 1 + 1e-9; 'a' == 'A'; (1,) == 1; {} == set()"""


def check_equal_values(sandbox: Sandbox) -> None:
    pairs = [text.strip() for text in TRUE.split(";")]
    all_alike(sandbox, ECHO, (f"assert f(({a})) {op} {b}" for a, op, b in map(split, pairs)), "passed")


def check_unequal_values(sandbox: Sandbox) -> None:
    pairs = [text.strip() for text in FALSE.split(";")]
    all_alike(sandbox, ECHO, (f"assert f(({a})) {op} {b}" for a, op, b in map(split, pairs)), "failed")


def split(text: str) -> tuple[str, str, str]:
    """'a == b' -> ('a', '==', 'b') at the last operator outside parentheses of the small language used above."""
    for op in ("==", "!=", " in "):
        if op in text:
            left, _, right = text.rpartition(op)
            return left.strip(), op.strip(), right.strip()
    raise ValueError(text)


def check_tolerances(sandbox: Sandbox) -> None:
    near = ("abs(f(0.1 + 0.2) - 0.3) < 1e-9", "round(f(2 / 3), 2) == 0.67", "0.6 < f(2 / 3) < 0.7")
    far = ("abs(f(0.31) - 0.3) < 1e-9", "round(f(2 / 3), 3) == 0.67", "0.7 < f(2 / 3) < 0.8")
    close = ("import math\nassert math.isclose(f({}), 0.3)",)
    all_alike(sandbox, ECHO, [*(f"assert {test}" for test in near), close[0].format("0.1 + 0.2")], "passed")
    all_alike(sandbox, ECHO, [*(f"assert {test}" for test in far), close[0].format("0.31")], "failed")


def check_truth_of_values(sandbox: Sandbox) -> None:
    all_alike(sandbox, ECHO, ("assert f(1)", "assert f([0])", "assert not f(0)", "assert f('') or f('x')"), "passed")
    all_alike(sandbox, ECHO, ("assert f(0)", "assert f([])", "assert not f(1)", "assert f('') and f('x')"), "failed")


def check_conversions_around_calls(sandbox: Sandbox) -> None:
    code = "def f(n):\n    return (i * i for i in range(n))\n"
    good = (
        "list(f(3)) == [0, 1, 4]",
        "sorted(f(3)) == [0, 1, 4]",
        "set(f(3)) == {4, 1, 0}",
        "sum(f(3)) == 5",
        "tuple(f(0)) == ()",
    )
    all_alike(sandbox, code, (f"assert {test}" for test in good), "passed")
    all_alike(sandbox, code, ("assert f(3) == [0, 1, 4]", "assert list(f(3)) == [4, 1, 0]"), "failed")


def check_messages_are_not_judged(sandbox: Sandbox) -> None:
    tests = ("assert f(1) == 2, 'wrong'", "assert f(1) == 2, nobody", "assert (f(1)) == (2), f'got {f(1)}'")
    all_alike(sandbox, INCREMENT, tests, "passed")


def check_numpy_values(sandbox: Sandbox) -> None:
    pytest.importorskip("numpy")
    code = "import numpy as np\ndef f(x):\n    return np.array(x)\ndef g(x):\n    return np.int64(x) if x % 1 == 0 else np.float64(x)\n"
    good = ("g(3) == 3", "g(2.5) == 2.5", "list(f([1, 2])) == [1, 2]", "f([[1], [2]]).tolist() == [[1], [2]]")
    good += ("(f([1, 2]) == np.array([1, 2])).all()", "f([1, 2]).sum() == 3", "np.allclose(f([0.1 + 0.2]), [0.3])")
    bad = ("g(3) == 4", "list(f([1, 2])) == [2, 1]", "f([1, 2]) == [1, 2]", "np.allclose(f([0.1]), [0.3])")
    all_alike(sandbox, code, (f"assert {test}" for test in good), "passed")
    all_alike(sandbox, code, (f"assert {test}" for test in bad), "failed")


# ---- fingerprints, cost, error


def check_equal_fingerprints(sandbox: Sandbox) -> None:
    codes = (
        "def f(x):\n    return {1, 2, 3}\n",
        "def f(x):\n    return set([3, 2, 1])\n",
        "def f(x):\n    s = set(range(100))\n    return s & {3, 1, 2}\n",
    )
    found = {row[0].fingerprint for row in sandbox.run(Job("same", codes, ("assert f(1) == {1}",), "f")).cells}
    assert len(found) == 1
    assert found != {""}


def check_fingerprint_is_of_the_value(sandbox: Sandbox) -> None:
    same, other, third = cells(sandbox, INCREMENT, "assert f(1) == 2", "assert f(1) == 5", "assert f(2) == 3")
    assert same.fingerprint == other.fingerprint != third.fingerprint


def check_unequal_fingerprints(sandbox: Sandbox) -> None:
    values = [
        "1",
        "2",
        "'1'",
        "b'1'",
        "[1]",
        "(1,)",
        "{1}",
        "{1: 1}",
        "None",
        "1.5",
        "'1 '",
        "[[1]]",
        "[1, 1]",
        "-1",
        "2**64",
    ]
    codes = tuple(f"def f(x):\n    return {value}\n" for value in values)
    found = [row[0].fingerprint for row in sandbox.run(Job("differ", codes, ("assert f(1) == 99",), "f")).cells]
    assert len(set(found)) == len(values)
    assert all(found)


def check_exception_fingerprints(sandbox: Sandbox) -> None:
    codes = tuple(f"def f(x):\n    raise {what}\n" for what in ("ValueError(1)", "ValueError(2)", "KeyError(1)"))
    a, b, c = (row[0].fingerprint for row in sandbox.run(Job("raise", codes, ("assert f(1) == 9",), "f")).cells)
    assert a == b != c


def check_fingerprints_repeat(sandbox: Sandbox) -> None:
    code = "def f(x):\n    return {'b': {3, 1}, 'a': [x, 0.1, b'z', None]}\n"
    found = {one(sandbox, code, f"assert f(1) == {n}").fingerprint for n in range(3)}
    assert len(found) == 1


def check_cost_is_sane(sandbox: Sandbox) -> None:
    busy = "def f(n):\n    t = 0\n    for i in range(n):\n        t += i\n    return t\n"
    light, heavy = cells(sandbox, busy, "assert f(10) == 45", "assert f(1_500_000) == 1124999250000")
    assert (light.verdict, heavy.verdict) == ("passed", "passed")
    assert 0 <= light.cpu_s < heavy.cpu_s < 5
    assert all(math.isfinite(cell.cpu_s) for cell in (light, heavy))


def check_errors_are_one_line(sandbox: Sandbox) -> None:
    for what in (
        "ValueError('a\\nb\\n' * 99)",
        "ValueError('\\x1b[31m\\0')",
        "ValueError('x' * 10**6)",
        "SystemExit('a\\rb')",
    ):
        error = one(sandbox, f"def f(x):\n    raise {what}\n", "assert f(1) == 2").error
        assert error.isprintable()
        assert 0 < len(error) <= 1000


def check_layers_are_named(sandbox: Sandbox) -> None:
    matrix = sandbox.run(Job("layers", (INCREMENT,), ("assert f(1) == 2",), "f"))
    assert matrix.layers == tuple(sandbox.layers)
    assert sandbox.layers
    assert len(set(sandbox.layers)) == len(sandbox.layers)


CHECKS = tuple(value for name, value in list(globals().items()) if name.startswith("check_"))
