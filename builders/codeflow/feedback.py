"""What a model is told about a version that fails: the failing assertion, the value it got, a trimmed traceback.

A verdict says little, so the first test that fails is run once more in the sandbox with a message added to each of its
assertions: the value of the side that calls the code. Messages come back as plain text of bounded length, and decide
nothing: a program that tampers with them misleads its own repair and no one else.
"""

import ast
import re
from collections.abc import Sequence

from codepref.extract import Rejected, parse
from codepref.sandbox import Cell, Job, Limits, Sandbox
from codepref.sandbox.worker.runner import Outline
from codepref.stdin import read_test, shown

SHOWN_TEST, SHOWN_SIDE, SHOWN_VALUE, SHOWN_FRAMES = 1500, 80, 100, 4
"""Characters of a test, of the expression on one side of an assertion and of its value; frames of a traceback."""
_FRAMES = """
import sys
try:
    pass
except BaseException as _error:
    _frames, _trace = [], _error.__traceback__
    while _trace is not None:
        if _trace.tb_frame.f_code.co_filename == "<solution>":
            _frames.append("%d:%s" % (_trace.tb_lineno, _trace.tb_frame.f_code.co_name))
        _trace = _trace.tb_next
    raise AssertionError("|".join(_frames[-FRAMES:]))
"""
_VALUES = """
import sys
try:
    pass
finally:
    pass
"""
"""A test that imports `sys` is not taken apart: it runs beside the candidate as it stands."""
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_LINE = re.compile(r" \(line (\d+)(?:, in ([^\s()]+))?\)\Z")
"""Of a whole program that raised: see `codepref.sandbox.trial.last_words`."""
_LIMITS = {
    "timeout": "It does not end within {cpu_s:g} s of CPU time.",
    "memory": "It needs more than {memory_mb} MiB of memory.",
    "output": "It writes or returns more than {output_bytes} bytes.",
    "crashed": "Its process dies.",
}


def no_program(rejected: Rejected, entry_point: str) -> str:
    """The report on an answer that holds no program."""
    detail = f" ({rejected.detail})" if rejected.detail else ""
    wanted = f"that defines {entry_point}" if entry_point else "that reads its input and prints"
    return f"The answer holds no program {wanted}: {rejected.rule}{detail}."


def reports(
    sandbox: Sandbox,
    failures: Sequence[tuple[str, tuple[str, ...], Sequence[Cell]]],
    entry_points: Sequence[str],
    limits: Limits,
) -> list[str]:
    """One report a failure.

    Args:
        sandbox: Where the failing tests are run again.
        failures: Program, tests, and the cells of the program on the tests, at least one of them failing.
        entry_points: Of each failure.
        limits: Those of the sandbox, for the words on a limit that was hit.
    """
    firsts = [_first_failing(cells) for _, _, cells in failures]
    jobs = []
    for number, ((code, tests, cells), first) in enumerate(zip(failures, firsts, strict=True)):
        told = cells[first].verdict != "failed" or read_test(tests[first]) is not None
        found = None if told else probes(tests[first], entry_points[number])
        if found is not None:
            jobs.append(Job(str(number), (code,), found))
    said = dict[int, tuple[str, ...]]()
    for matrix in sandbox.run_many(jobs):
        said[int(matrix.job_id)] = tuple(_message(cell) for cell in matrix.cells[0])
    return [
        _report(code, tests, cells, first, said.get(number, ("", "")), limits)
        for number, ((code, tests, cells), first) in enumerate(zip(failures, firsts, strict=True))
    ]


def _first_failing(cells: Sequence[Cell]) -> int:
    return next(number for number, cell in enumerate(cells) if _fails(cell))


def _fails(cell: Cell) -> bool:
    return cell.verdict not in ("passed", "unjudged")


def _message(cell: Cell) -> str:
    """What a probe said; nothing where it ended otherwise than by its assertion."""
    kind, _, text = cell.error.partition(": ")
    return _ADDRESS.sub("", text.strip()) if cell.verdict == "failed" and kind == "AssertionError" else ""


def _report(
    code: str, tests: Sequence[str], cells: Sequence[Cell], first: int, said: tuple[str, ...], limits: Limits
) -> str:
    cell, (value, frames) = cells[first], said
    passed = sum(item.verdict == "passed" for item in cells)
    found = [f"It passes {passed} of {len(tests)} tests. This one fails:", "", shown(tests[first], SHOWN_TEST), ""]
    if cell.verdict in _LIMITS:
        return "\n".join([*found, _LIMITS[cell.verdict].format(**vars(limits))])
    error = _ADDRESS.sub("", cell.error)
    if read_test(tests[first]) is not None:
        return "\n".join([*found, *_of_program(code, error)])
    assertion = error.partition(":")[0] == "AssertionError"
    found.append(value if assertion and value else error)
    return "\n".join([*found, *(() if assertion and value else _traceback(code, frames))])


def _of_program(code: str, error: str) -> list[str]:
    """What is told of a whole program: where its output differs, or how it ended and in which line."""
    if error.startswith("line "):
        return [f"Its output differs in {error}"]
    place = _LINE.search(error)
    return (
        [error]
        if place is None or not place[2]
        else [error[: place.start()], *_traceback(code, f"{place[1]}:{place[2]}")]
    )


def _traceback(code: str, frames: str) -> list[str]:
    """The lines of the program that a traceback names."""
    lines, found = code.splitlines(), list[str]()
    for frame in frames.split("|") if frames else ():
        number, _, name = frame.partition(":")
        if number.isdecimal() and 1 <= int(number) <= len(lines):
            found.append(f"  line {number}, in {name}: {lines[int(number) - 1].strip()}")
    return found


def probes(test: str, entry_point: str) -> tuple[str, str] | None:
    """Two tests that fail where `test` fails, and say more.

    Returns:
        One whose assertions say which value they got, and one that says through which lines of the program an exception
        came, `LINE:FUNCTION|...`; None for a test that does not parse or is nested too deeply.
    """
    tree = parse(test)
    if tree is None:
        return None
    calls = _calls(tree, entry_point)
    try:
        frames = _around(_FRAMES.replace("FRAMES", str(SHOWN_FRAMES)), [*tree.body, *calls])
        return _around(_VALUES, [*_Telling(entry_point).visit(tree).body, *calls]), frames
    except RecursionError:
        return None


def _calls(tree: ast.Module, entry_point: str) -> list[ast.stmt]:
    """Calls of the test functions that a runner would call."""
    calls: list[ast.stmt] = []
    for function in Outline(tree).functions():
        needed = len(function.args.args) > len(function.args.defaults)
        calls += ast.parse(f"{function.name}({entry_point if needed else ''})").body
    return calls


def _around(frame: str, body: list[ast.stmt]) -> str:
    """Statements as the body of the `try` statement of a text."""
    tree = ast.parse(frame)
    (statement,) = (node for node in tree.body if isinstance(node, ast.Try))
    statement.body = body
    return ast.unparse(ast.fix_missing_locations(tree))


class _Telling(ast.NodeTransformer):
    """Gives every assertion a message: its text, and the value of the side that calls the code."""

    def __init__(self, entry_point: str) -> None:
        self.entry_point = entry_point

    def visit_Assert(self, node: ast.Assert) -> ast.Assert:
        """Replaces the message."""
        side = ast.unparse(self.side(node.test))
        text = side if len(side) <= SHOWN_SIDE else f"{side[:SHOWN_SIDE]}..."
        message = ast.parse(f"{text!r} + ' gives ' + repr({side})[:{SHOWN_VALUE}]", mode="eval").body
        return ast.Assert(node.test, message)

    def side(self, test: ast.expr) -> ast.expr:
        """What is worth showing of a condition."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            return self.side(test.operand)
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            sides = [test.left, *test.comparators]
            named = [side for side in sides if self.entry_point in _names(side)]
            called = [side for side in sides if _calls_something(side)]
            return (named or called or sides)[0]
        return test


def _calls_something(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Call) for part in ast.walk(node))


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
