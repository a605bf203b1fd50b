"""Judges a test in this process, without a sandbox: for honest programs, and to see each operation that is asked for.

The candidate's side and the judge's side are the real ones and talk in the real transport; only the two processes
between them are left out.
"""

import contextlib
import doctest
import sys
import unittest
from collections.abc import Iterator
from typing import NamedTuple

from codepref.sandbox import play, referee
from codepref.sandbox.plan import DIRECT, plan
from codepref.sandbox.play import Script
from codepref.sandbox.worker.operations import Session

MOST_ROUNDS = 40
VERDICTS = {play.PASSED: "passed", play.FAILED: "failed", play.RAISED: "failed", play.LARGE: "output"}


class Judged(NamedTuple):
    """What came of a test."""

    kind: str
    """Of the plan; `play` is what could be played."""
    verdict: str = ""
    """Empty where nothing was played."""
    error: str = ""
    sent: tuple[bytes, ...] = ()
    """All that the candidate's process was given, in all rounds."""
    own: bool = False


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Puts back what a play, which has a process of its own, changes in its process."""
    kept = sys.modules["__main__"], unittest.main, unittest.TestProgram, unittest.TextTestRunner.run, doctest.testmod
    try:
        yield
    finally:
        sys.modules["__main__"], unittest.main, unittest.TestProgram, unittest.TextTestRunner.run, doctest.testmod = (
            kept
        )


def answers_to(code: str, operations: tuple[bytes, ...]) -> list[bytes]:
    """What the candidate's process sends back."""
    namespace = {"__name__": "solution"}
    exec(code, namespace)
    session = Session(namespace)
    return [session.perform(operation) for operation in operations]


def judged(code: str, test: str, entry_point: str | None = "f", how: str = "plan") -> Judged:
    """Kind and verdict of a test; an honest code is run in this process. Direct tests are not judged."""
    made = plan(test, entry_point, how)
    if made.kind in DIRECT:
        return Judged(made.kind, sent=tuple(step.encode() for _, step in made.steps))
    if made.kind != "play":
        return Judged(made.kind)
    with undisturbed():
        return played(code, test, entry_point)


def played(code: str, test: str, entry_point: str | None) -> Judged:
    outcome = referee.rehearse(test, entry_point)
    if outcome.status != play.ASKS:
        return Judged({play.BLIND: "blind", play.INSEPARABLE: "official"}[outcome.status], error=outcome.error.decode())
    sent: list[bytes] = []
    for _ in range(MOST_ROUNDS):
        operations = outcome.operations
        sent += operations
        outcome = play.play(Script(test, entry_point), operations, answers_to(code, operations), False)
        if outcome.status != play.ASKS:
            break
    verdict = VERDICTS.get(outcome.status, "unjudged")
    return Judged("play", verdict, outcome.error.decode(errors="replace"), tuple(sent), outcome.own)
