"""The trusted side's own sandboxed worker: plans tests, plays them and evaluates conditions; never sees a candidate.

Same fork server as worker.py, run by the supervisor's interpreter and with no more rights than a candidate: whatever a
test's text or a returned value does to a parser or to a comparison happens in a forked child under limits. A child sees
one cell. Two kinds of question may share a child, as nothing in them can do anything but compute: reading tests, and
conditions of a closed set of operations on plain data.

Requests, marshalled by the supervisor: `("plan" | "whole" | "official", [(test, entry point), ...])`, `("judge",
[(prelude, condition, [value, ...]), ...])`, `("rehearse", (test, entry point))`, `("play", (test, entry point,
operations, answers, ended))`.
"""

import builtins
import importlib
import marshal
import sys
import warnings
from collections.abc import Callable
from typing import Any

from codepref.sandbox.blind import is_blind
from codepref.sandbox.plan import FALSE, JUDGE_BUILTINS, NEEDS, PLAN, RAISED, TRUE, plan
from codepref.sandbox.play import ASKS, BLIND, INSEPARABLE, Outcome, Script, packed, play
from codepref.sandbox.worker import serve
from codepref.sandbox.worker.candidate import Spawn
from codepref.sandbox.worker.image import describe
from codepref.sandbox.worker.report import Report
from codepref.sandbox.worker.wire import Malformed, World, decode

_PRELOADED = ("ast", "inspect", "random", "copy", "json", "string", "enum", "dataclasses", "textwrap")
_BUILTINS = {name: getattr(builtins, name) for name in sorted(JUDGE_BUILTINS)} | {"__import__": __import__}
_DEPTH = 2000


class Missing(Exception):
    """A value is needed that the candidate did not return as plain data."""


def judge(prelude: str, condition: str, values: list[bytes | None]) -> tuple[int, bytes]:
    """Truth of one condition after the statements in `prelude`, which are codepref's own.

    Values are decoded only when asked for, as `a or b` may not need the second.
    """
    needed = []

    def value_of(k: int) -> Any:
        needed.append(k)
        data = values[k] if k < len(values) else None
        if data is None:
            raise Missing
        return decode(data, World(), _DEPTH)

    try:
        namespace = {"__builtins__": _BUILTINS, "_v": value_of}
        exec(compile(prelude, "<test>", "exec", dont_inherit=True), namespace)  # noqa: S102 - in a sandboxed child
        holds = eval(compile(condition, "<test>", "eval", dont_inherit=True), namespace)
        return (TRUE if holds else FALSE), b""
    except (Missing, Malformed):
        return NEEDS, bytes([needed[-1]])
    except BaseException as error:
        return RAISED, describe(error)


def rehearse(test: str, entry_point: str | None) -> Outcome:
    """The first operations of a test, or that it is blind or can not be played."""
    try:
        script = Script(test, entry_point)
    except (SyntaxError, ValueError, RecursionError) as error:
        return Outcome(INSEPARABLE, (), describe(error))
    outcome = play(script, (), (), False)
    if outcome.status == INSEPARABLE:
        return outcome
    if outcome.status != ASKS or not outcome.operations or is_blind(script):
        return Outcome(BLIND)
    return outcome


def handle(report: Report, payload: bytes, _: Spawn) -> None:
    """Body of a child of the referee."""
    kind, items = marshal.loads(payload)  # ours: written by the supervisor
    sys.setrecursionlimit(20_000)
    if kind == "rehearse":
        outcome = rehearse(*items)
        report.put(0, 0, 0, outcome.status, packed(outcome))
    elif kind == "play":
        test, entry_point, operations, answers, ended = items
        outcome = play(Script(test, entry_point), operations, answers, ended)
        report.put(0, 0, 0, outcome.status, packed(outcome))
    elif kind == "judge":
        for number, item in enumerate(items):
            report.put(number, 0, 0, *judge(*item))
    else:
        for number, (test, entry_point) in enumerate(items):
            report.put(number, 0, 0, PLAN, marshal.dumps(tuple(plan(test, entry_point, kind)), 2))


def handler() -> Callable[[Report, bytes, Spawn], None]:
    """Imports what tests may use before the worker locks itself down."""
    for name in _PRELOADED:
        importlib.import_module(name)
    warnings.simplefilter("ignore")  # a warning would look for source files to quote
    return handle


def main() -> None:
    """Entry of the process."""
    serve.main(handler, (), closed=True)
