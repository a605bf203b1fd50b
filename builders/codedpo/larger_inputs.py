"""Calls on literals, and the same calls on larger inputs."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from builders.codedpo.timing import Workload
from codepref.sandbox import Cell, Job, Sandbox

Rule = Literal["extended", "repeated"]
RULES: tuple[Rule, ...] = ("extended", "repeated")
"""`extended`: a list of integers goes on with the same steps, shifted, so that it keeps its order and repeats nothing
that did not repeat. `repeated`: its items come again. Strings and other sequences are repeated, numbers multiplied."""
FACTORS = (8, 64, 512)
ENOUGH_S = 0.001
"""CPU seconds of one call from which on inputs are large enough."""
MAX_TEXT = 100_000
MAX_CALLS = 6


@dataclass(frozen=True)
class Call:
    """A call of the entry point on literals."""

    entry_point: str
    args: tuple[Any, ...]
    keywords: tuple[tuple[str, Any], ...]

    def __str__(self) -> str:
        parts = [repr(value) for value in self.args] + [f"{name}={value!r}" for name, value in self.keywords]
        return f"{self.entry_point}({', '.join(parts)})"


@dataclass(frozen=True)
class Scaled:
    """A workload on larger inputs."""

    work: Workload
    rule: Rule
    factor: int


def call_of(test: str, entry_point: str) -> Call | None:
    """The call in a test of the form `assert f(LITERALS) == LITERAL`; None for any other test.

    A test that expects None is none either: a code that does nothing passes it.
    """
    try:
        (statement,) = ast.parse(test).body
        if not isinstance(statement, ast.Assert) or not isinstance(statement.test, ast.Compare):
            return None
        left, (operator,), (right,) = statement.test.left, statement.test.ops, statement.test.comparators
        named = isinstance(left, ast.Call) and isinstance(left.func, ast.Name) and left.func.id == entry_point
        if not named or not isinstance(operator, ast.Eq | ast.Is) or ast.literal_eval(right) is None:
            return None
        assert isinstance(left, ast.Call)
        args = tuple(ast.literal_eval(arg) for arg in left.args)
        keywords = tuple((str(item.arg), ast.literal_eval(item.value)) for item in left.keywords if item.arg)
        return Call(entry_point, args, keywords) if len(keywords) == len(left.keywords) else None
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):  # as `literal_eval` and `parse` refuse
        return None


def grown(value: Any, factor: int, rule: Rule) -> Any:
    """A value of the same type, `factor` times as large; the value itself where that means nothing."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return value * factor
    if isinstance(value, list | tuple) and value and rule == "extended" and all(type(item) is int for item in value):
        step = max(value) - min(value) + 1
        return type(value)(item + i * step for i in range(factor) for item in value)
    return value * factor if isinstance(value, list | tuple | str | bytes) else value


def grown_call(call: Call, factor: int, rule: Rule) -> Call | None:
    """The call on larger inputs; None if nothing grows, or the text would be too long."""
    if factor * len(str(call)) > 2 * MAX_TEXT:
        return None
    args = tuple(grown(value, factor, rule) for value in call.args)
    larger = Call(call.entry_point, args, tuple((name, grown(value, factor, rule)) for name, value in call.keywords))
    return larger if larger != call and len(str(larger)) <= MAX_TEXT else None


def scaled(sandbox: Sandbox, codes: Sequence[str], calls: Sequence[Call], least: int) -> Scaled | None:
    """The largest inputs on which all codes still return the same and none raises; None if there are none.

    Args:
        sandbox: Compares outside the candidate's process (mode `auto`).
        codes: Whole programs that agree on `calls`.
        calls: The inputs to start from.
        least: Number of calls that have to remain.
    """
    for rule in RULES:
        found = None
        for work, factor in _ladder(calls[:MAX_CALLS], rule, least):
            kept, slowest_s = _agreed(sandbox, codes, work)
            if len(kept.calls) < least:
                break
            found = Scaled(kept, rule, factor)
            if slowest_s >= ENOUGH_S:
                break
        if found is not None:
            return found
    return None


def enlarging_executions(codes: int, calls: int) -> int:
    """Executions that `scaled` takes at most."""
    return len(RULES) * len(FACTORS) * codes * min(calls, MAX_CALLS)


def _ladder(calls: Sequence[Call], rule: Rule, least: int) -> Iterator[tuple[Workload, int]]:
    for factor in FACTORS:
        larger = [text for call in calls if (text := grown_call(call, factor, rule)) is not None]
        if len(larger) < least:
            return
        yield Workload(larger[0].entry_point, tuple(map(str, larger))), factor


def _agreed(sandbox: Sandbox, codes: Sequence[str], work: Workload) -> tuple[Workload, float]:
    """The calls on which all codes return equal values, and the CPU seconds of the slowest of those."""
    tests = tuple(f"assert {call} == {call}" for call in work.calls)  # fails only where a call raises or is not settled
    matrix = sandbox.run(Job("scaled", tuple(codes), tests, work.entry_point))
    columns = list(zip(*matrix.cells, strict=True))
    kept = [j for j, column in enumerate(columns) if _one_value(column)]
    slowest_s = max((cell.cpu_s for j in kept for cell in columns[j]), default=0.0)
    return Workload(work.entry_point, tuple(work.calls[j] for j in kept)), slowest_s


def _one_value(column: Sequence[Cell]) -> bool:
    return all(cell.verdict == "passed" for cell in column) and len({cell.fingerprint for cell in column}) == 1
