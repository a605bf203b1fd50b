"""From traces to cells: compares the values a candidate returned with what the test expects."""

from collections.abc import Callable
from typing import Any, NamedTuple

from codepref.sandbox import worker
from codepref.sandbox.base import Verdict
from codepref.sandbox.plan import FALSE, NEEDS, RAISED, TRUE, Plan
from codepref.sandbox.trial import CRASH, LOST, TIMEOUT, Trace
from codepref.sandbox.value import SMALL, Malformed, fingerprint, fingerprint_of, read

REFERENCE = b"(\x04\x00\x00\x00."
_BY_STATE: dict[int, Verdict] = {
    TIMEOUT: "timeout", CRASH: "crashed", LOST: "unjudged", worker.NO_MEMORY: "memory", worker.TOO_LARGE: "output",
    worker.RAISED: "failed", worker.UNCOMPILED: "failed", worker.NO_TEST: "failed",
}  # fmt: skip
_ERRORS = {
    worker.UNCOMPILED: "SyntaxError: the code does not compile",
    worker.NO_TEST: "SyntaxError: the test does not compile",
    worker.NO_MEMORY: "MemoryError", worker.TOO_LARGE: "more output than the limit allows",
}  # fmt: skip


class Finding(NamedTuple):
    """A cell without its cost; shared by all cells with the same trace."""

    verdict: Verdict
    fingerprint: str = ""
    error: str = ""
    again: bool = False
    """A value was not plain data; running conversions beside the candidate may tell more."""


Judgement = tuple[int, bytes]
"""Status and data of the referee for one condition."""


def judge_needed(plan: Plan, trace: Trace) -> bool:
    """True if the supervisor can not decide this itself: an expression, or a value too large to touch."""
    kind = plan.kind
    if kind in ("judge", "own"):
        return trace.state == worker.VALUE or bool(trace.values)
    if kind in ("official", "broken", "truth", "not") or trace.state != worker.VALUE:
        return kind in ("truth", "not") and trace.state == worker.VALUE and _is_hard(trace.values[0])
    return _is_hard(trace.values[0])


def _is_hard(data: bytes | None) -> bool:
    return data is not None and (len(data) > SMALL or REFERENCE in data)


def find(plan: Plan, trace: Trace, judgement: Judgement | None) -> Finding:
    """Verdict, fingerprint and error of a trace."""
    if judgement is not None:
        return _judged(trace, judgement)
    if trace.state != worker.VALUE:
        return _ended(trace)
    if plan.kind in ("official", "broken"):
        return Finding("passed")
    data = trace.values[0]
    if data is None:
        return _opaque(plan.kind, trace.note)
    try:
        value, print_ = read(data)
        return _compared(_HOLDS[plan.kind](value, plan.expected), print_)
    except (Malformed, RecursionError, OverflowError, TypeError, ValueError):
        return Finding("failed", fingerprint_of([data]), "the value can not be read")


def _compared(holds: bool, print_: str) -> Finding:
    return Finding("passed", print_) if holds else Finding("failed", print_, "AssertionError")


_HOLDS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, expected: bool(value == expected),
    "ne": lambda value, expected: bool(value != expected),
    "is": lambda value, expected: value is expected,
    "isnot": lambda value, expected: value is not expected,
    "truth": lambda value, _: bool(value),
    "not": lambda value, _: not value,
}


def _opaque(kind: str, note: bytes) -> Finding:
    """An object of a class of the candidate equals no literal, whatever its own `__eq__` says."""
    truth, name = note[:1], note[1:].decode(errors="replace")
    print_ = fingerprint(f"opaque {name}")
    if kind in ("truth", "not"):
        if truth == b"E":
            return Finding("failed", print_, f"the truth of a {name} can not be determined")
        return _compared((truth == b"T") == (kind == "truth"), print_)
    holds = kind in ("ne", "isnot")
    if holds:
        return Finding("passed", print_)
    return Finding("failed", print_, f"AssertionError: returned a {name}", again=True)


def _ended(trace: Trace) -> Finding:
    verdict = _BY_STATE[trace.state]
    error = _ERRORS.get(trace.state) or trace.note.decode(errors="replace")
    name = error.partition(":")[0]
    known = trace.state in (worker.RAISED, worker.UNCOMPILED, worker.NO_TEST, worker.NO_MEMORY)
    return Finding(verdict, fingerprint(name) if known else "", error.removesuffix(": "))


def _judged(trace: Trace, judgement: Judgement) -> Finding:
    status, data = judgement
    values = [value for value in trace.values if value is not None]
    print_ = fingerprint_of(values) if len(values) == len(trace.values) else fingerprint(f"opaque {trace.note[1:]!r}")
    if status == TRUE:
        return Finding("passed", print_)
    if status == FALSE:
        return Finding("failed", print_, "AssertionError")
    if status == RAISED:
        return Finding("failed", print_, data.decode(errors="replace").removesuffix(": "))
    if status == NEEDS and trace.state != worker.VALUE:
        return _ended(trace)
    if status == NEEDS:
        name = trace.note[1:].decode(errors="replace") or "value that is not plain data"
        return Finding("failed", print_, f"AssertionError: returned a {name}", again=True)
    return Finding("failed", print_, "the comparison did not end within the limits")
