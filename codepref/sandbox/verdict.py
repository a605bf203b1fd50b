"""From traces to cells: compares the values a candidate returned with what the test expects."""

from collections.abc import Callable
from typing import Any, NamedTuple

from codepref.sandbox import play, worker
from codepref.sandbox.base import Verdict
from codepref.sandbox.plan import FALSE, NEEDS, RAISED, STDIN, TRUE, WHOLE, Plan
from codepref.sandbox.trial import CRASH, LOST, TIMEOUT, Trace
from codepref.sandbox.value import SMALL, Malformed, answers_print, decode, fingerprint, fingerprint_of, read
from codepref.stdin import StdinTest

_BY_STATE: dict[int, Verdict] = {
    TIMEOUT: "timeout", CRASH: "crashed", LOST: "unjudged", worker.NO_MEMORY: "memory", worker.TOO_LARGE: "output",
    worker.RAISED: "failed", worker.UNCOMPILED: "failed", worker.NO_TEST: "failed", worker.UNRUNNABLE: "unjudged",
}  # fmt: skip
_ERRORS = {
    worker.UNCOMPILED: "SyntaxError: the code does not compile",
    worker.NO_TEST: "SyntaxError: the test does not compile",
    worker.NO_MEMORY: "MemoryError", worker.TOO_LARGE: "more output than the limit allows",
}  # fmt: skip
STALLED = "the comparison did not end within the limits"


class Finding(NamedTuple):
    """A cell without its cost; shared by all cells with the same trace."""

    verdict: Verdict
    fingerprint: str = ""
    error: str = ""
    again: bool = False
    """The test has to be played, or to be played on with more `operations`."""
    operations: tuple[bytes, ...] = ()
    own: bool = False
    """An own class of the candidate decided something."""


Judgement = tuple[int, bytes]
"""Status and data of the referee for one condition, or one play."""


def is_hard(data: bytes | None) -> bool:
    """True for a value that only the referee may look at: a large one, or one that is no plain data."""
    if data is None:
        return False
    if len(data) > SMALL:
        return True
    try:
        return not read(data).is_plain
    except Malformed:
        return False


def judge_needed(plan: Plan, trace: Trace) -> bool:
    """True if the supervisor can not decide this itself: an expression, or a value too large to touch."""
    if trace.state != worker.VALUE or plan.kind in WHOLE or plan.kind == STDIN or None in trace.values:
        return False
    return plan.kind == "judge" or is_hard(trace.values[0])


def play_needed(plan: Plan, trace: Trace) -> bool:
    """True if a test has to be played with what came back. A process may have ended after the answers it needs."""
    return plan.kind == "play" and (trace.state == worker.VALUE or bool(trace.values))


def find(plan: Plan, trace: Trace, judgement: Judgement | None) -> Finding:
    """Verdict, fingerprint and error of a trace."""
    if plan.kind == "play" and (judgement is not None or trace.state == worker.VALUE):
        return _played(trace, judgement)
    if judgement is not None:
        return _judged(trace, judgement)
    if trace.state != worker.VALUE:
        return _ended(plan, trace)
    if plan.kind == STDIN:
        return _printed(plan.expected, trace.values[0] or b"")
    return Finding("passed") if plan.kind in WHOLE else _looked_at(plan, trace.values[0])


def _printed(test: StdinTest, data: bytes) -> Finding:
    """Of what a program printed. Outputs that no layout tells apart have one fingerprint."""
    text = data.decode(errors="replace")
    difference = test.difference(text)
    return Finding("failed" if difference else "passed", fingerprint(" ".join(text.split())), difference)


def _looked_at(plan: Plan, data: bytes | None) -> Finding:
    """Of a value that this process compares itself."""
    if data is None:
        return Finding("failed", "", "returned an object", again=True)
    try:
        value, print_, _ = read(data)
        return _compared(_HOLDS[plan.kind](value, plan.expected), print_)
    except (Malformed, RecursionError, OverflowError, TypeError, ValueError):
        return Finding("failed", fingerprint_of([data]), "the value can not be read", again=True)


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


def _ended(plan: Plan, trace: Trace) -> Finding:
    verdict = _BY_STATE[trace.state]
    if trace.state == worker.UNRUNNABLE and plan.kind not in WHOLE:
        verdict = "failed"  # nothing that a candidate may say of a test that is judged outside
    error = _ERRORS.get(trace.state) or trace.note.decode(errors="replace")
    name = error.partition(":")[0]
    known = trace.state in (worker.RAISED, worker.UNCOMPILED, worker.NO_TEST, worker.NO_MEMORY)
    return Finding(verdict, fingerprint(name) if known else "", error.removesuffix(": "))


def _judged(trace: Trace, judgement: Judgement) -> Finding:
    status, data = judgement
    print_ = fingerprint_of([value for value in trace.values if value is not None])
    if status == TRUE:
        return Finding("passed", print_)
    if status == FALSE:
        return Finding("failed", print_, "AssertionError")
    if status == RAISED:
        return Finding("failed", print_, data.decode(errors="replace").removesuffix(": "))
    if status == NEEDS:
        return Finding("failed", print_, "the value can not be read", again=True)
    return Finding("failed", print_, STALLED)


def read_outcome(judgement: Judgement) -> play.Outcome:
    """What the referee says of a play; raises `Malformed`, as a referee that was taken over may say anything."""
    status, data = judgement
    content = decode(data)
    if type(content) is not tuple or len(content) != 3:
        raise Malformed("outcome")
    operations, error, own = content
    if type(operations) is not list or type(error) is not bytes or not all(type(item) is bytes for item in operations):
        raise Malformed("outcome")
    return play.Outcome(status, tuple(operations), error, bool(own))


def answers_of(trace: Trace) -> list[bytes]:
    """Answers to the operations of a play, up to the first one that is none."""
    answers: list[bytes] = []
    for value in trace.values:
        if value is None:
            break
        answers.append(value)
    return answers


def _played(trace: Trace, judgement: Judgement | None) -> Finding:
    print_ = answers_print(answers_of(trace))
    if judgement is None:
        return Finding("failed", print_, STALLED)
    try:
        outcome = read_outcome(judgement)
    except (Malformed, ValueError):
        return Finding("failed", print_, STALLED)
    if outcome.status == play.ASKS and trace.state != worker.VALUE:
        return _ended(_PLAY, trace)
    return _found_by_play(outcome, print_)


def _found_by_play(outcome: play.Outcome, print_: str) -> Finding:
    """What the referee says of a play, as a finding."""
    error = outcome.error.decode(errors="replace").removesuffix(": ")
    own = outcome.own
    if outcome.status == play.ASKS:
        return Finding("unjudged", print_, "the test asks for more and more", True, outcome.operations, own)
    if outcome.status == play.INSEPARABLE:
        return Finding("unjudged", print_, f"the test hands over a {error.partition(': ')[2]}, which can not be sent")
    if outcome.status == play.RAISED:
        return Finding("failed", fingerprint(error.partition(":")[0]), error, own=own)
    if outcome.status == play.FAILED:
        return Finding("failed", print_, error or "AssertionError", own=own)
    verdict = _BY_OUTCOME.get(outcome.status)
    if verdict is None:
        return Finding("failed", print_, error or "the value can not be read")
    return Finding(verdict, print_, error if verdict == "output" else "", own=own)


_BY_OUTCOME: dict[int, Verdict] = {play.PASSED: "passed", play.LARGE: "output"}
_PLAY = Plan("play", [])
