"""Attacks on the referee by what a candidate returns, and the answers that it gives."""

import marshal
import textwrap

import pytest
from playing import undisturbed

from codepref.sandbox import Job, Limits, Sandbox, play, referee
from codepref.sandbox.plan import FALSE, NEEDS, RAISED, TRUE
from codepref.sandbox.worker.image import encode

LIMITS = Limits(cpu_s=1.0, wall_s=5.0)


@pytest.fixture
def _undisturbed():
    with undisturbed():
        yield


MARK_ALL_PASSED = textwrap.dedent("""
    import sys
    frame = sys._getframe()
    while frame is not None and "report" not in frame.f_locals:
        frame = frame.f_back
    for place in range(len(frame.f_locals["items"])):
        frame.f_locals["report"].put(place, 0, 0, 0, b"")
    __import__("os")._exit(0)
""")


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(LIMITS) as open_:
        yield open_


def verdicts(sandbox, code, *tests):
    """Of an attacker's cells; an honest neighbour, judged in the same run, must come out right."""
    honest = "def f(x):\n    return sorted([x, 2])"
    cells = sandbox.run(Job("attack", (code, honest), (*tests, "assert f(1) == [1, 2]", "assert f(1) == 0"), "f")).cells
    assert [cell.verdict for cell in cells[1]][-2:] == ["passed", "failed"]
    return [cell.verdict for cell in cells[0]][: len(tests)]


def test_forge_referee_exec(sandbox):
    """Calls a function of numpy in the referee, with `exec` and the bytes of a program as its arguments.

    It is no longer possible: a message names no function to be called. A tuple of a program stays the tuple that it is,
    numpy makes arrays of numbers from their bytes alone, and the judge of a cell has no other cell's answer to write.
    """
    code = f"""
SCRIPT = {MARK_ALL_PASSED!r}
def reference(module, name, arguments):
    return (..., module, name, arguments)
def f(x):
    run = reference("builtins", "exec", None)
    data = reference("numpy", "array", (list(SCRIPT.encode()), "|u1"))
    return reference("numpy", "apply_along_axis", (run, 0, data))
"""
    tests = ("assert f(2) == 424242", "assert sorted(f(3)) == [7, 8, 9] and len(f(3)) == 3")
    assert verdicts(sandbox, code, *tests) == ["failed"] * 2
    assert verdicts(sandbox, code, "assert f(2)[0] is ... and f(2)[1] == 'numpy' and len(f(2)) == 4") == ["passed"]


def test_forge_builtin_as_helper(sandbox):
    """Gives a helper's name, which a test passes on, to the builtin `exec`.

    It is no longer possible: a name of the candidate stands for an operation in the candidate's process, whatever it is
    there, so that the candidate runs its own text where it could run it anyway.
    """
    code = f"is_prime = exec\ndef f(x):\n    return [{MARK_ALL_PASSED!r}]\n"
    tests = (
        "assert all(map(is_prime, f(10))) and len(f(10)) == 4",
        "assert sorted(f(10), key=is_prime) == [2, 3, 5, 7]",
        "assert list(map(is_prime, f(10))) == [True, True]",
    )
    assert set(verdicts(sandbox, code, *tests)) <= {"failed", "crashed"}


def test_forge_reference_tuple(sandbox):
    """Returns plain tuples that look like the transport's own form of a number, a text, a range or a type.

    It is no longer possible: the transport has codes of its own for what is no plain data, and a tuple, whatever is in
    it, is written with the code of a tuple.
    """
    code = """
def f(x):
    return [
        (..., "decimal", "Decimal", ("1.5",)), (..., "", "subclass", (7,)), (..., "", "iterator", ([1, 2], False)),
        (..., "builtins", "range", (0, 3, 1)), (..., "builtins", "int", None), ("x", "Decimal", ("1.5",)),
        ("Decimal", ("1.5",)), b"x\\x07\\x00\\x00\\x00Decimal(\\x01\\x00\\x00\\x00u\\x03\\x00\\x00\\x001.5",
    ][x]
"""
    tests = (
        "assert f(0) == 1.5", "assert f(1) == 7", "assert list(f(2)) == [1, 2]", "assert f(3) == range(3)",
        "assert f(4) is int", "assert f(5) == 1.5", "assert f(6) == 1.5", "assert f(7) == 1.5",
    )  # fmt: skip
    assert verdicts(sandbox, code, *tests) == ["failed"] * len(tests)
    assert verdicts(sandbox, code, "assert f(6) == ('Decimal', ('1.5',)) and type(f(0)) is tuple") == ["passed"]


LIAR = """
class Liar:
    def __eq__(self, other): return True
    def __getattr__(self, name): return lambda *_: self
    def __call__(self, *_): return self
    def __len__(self): return 1
    def __iter__(self): return iter([self])
    __lt__ = __gt__ = __le__ = __ge__ = __contains__ = __eq__
    def __sub__(self, other): return self
    __rsub__ = __add__ = __abs__ = __getitem__ = __mul__ = __getattribute__ = object.__getattribute__
def f(x): return Liar()
"""


def test_an_object_that_answers_everything_is_believed_only_officially(sandbox):
    """What an own class decides about plain data of the test is never `plain` and passed."""
    tests = (
        "assert f(1).startswith('a')", "assert f(1)(424242) == 3", "assert f(1).x == 5", "assert f(1)[0] == 2",
        "assert f(1) == 5", "assert 5 in f(1)", "assert abs(f(1) - 5) < 1e-6", "assert f(1) <= 5", "assert [f(1)] == [5]",
        "assert list(f(1)) == [5]", "assert {'a': f(1)} == {'a': 5}", "r = f(1)\nassert r == 5 and not r != 5",
    )  # fmt: skip
    cells = sandbox.run(Job("liar", (LIAR,), tests, "f")).cells[0]
    wrong = [test for test, cell in zip(tests, cells, strict=True) if (cell.verdict, cell.mode) == ("passed", "plain")]
    assert wrong == []


def test_a_condition_of_any_text_gives_one_of_four_answers():
    values = [encode(2), None, b"\xff"]
    answers = {
        "_v(0) == 2": TRUE, "_v(0) == 3": FALSE, "_v(0).x": RAISED, "open('a')": RAISED, "_v(1) == 2": NEEDS,
        "_v(2) == 2": NEEDS, "_v(9)": NEEDS, "_v(0) == 2 or _v(1)": TRUE, "1 +": RAISED, "exec('1')": RAISED,
    }  # fmt: skip
    assert {text: referee.judge("", text, values)[0] for text in answers} == answers


@pytest.mark.usefixtures("_undisturbed")
def test_a_rehearsal_of_any_text_has_an_outcome():
    assert referee.rehearse("assert f(", "f").status == play.INSEPARABLE
    assert referee.rehearse("x = 1\nassert x", "f").status == play.BLIND
    outcome = referee.rehearse("x = 2\nassert f(x) == 3", "f")
    assert (outcome.status, len(outcome.operations)) == (play.ASKS, 1)
    assert marshal.loads(play.packed(outcome)) == ([*outcome.operations], b"", False)
