"""Plans of tests, as the referee makes them: read, rehearsed, and held against what is installed."""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from codepref.sandbox import play
from codepref.sandbox.base import Job
from codepref.sandbox.judges import Judges, Question, referee_for
from codepref.sandbox.plan import PLAN, STDIN, Plan
from codepref.sandbox.trial import Program
from codepref.sandbox.value import decode
from codepref.sandbox.verdict import Judgement, read_outcome
from codepref.sandbox.worker.wire import Malformed
from codepref.stdin import read_test

Item = tuple[str, str | None]
"""A test and its entry point."""
_PLAN_CPU_S = 2.0
_FIND = """
import importlib.util
def lacks(name):
    try:
        return importlib.util.find_spec(name) is None
    except (ImportError, ValueError):
        return True
absent = [name for name in {names!r} if lacks(name)]
"""


class Planner:
    """Makes plans, and remembers which packages the candidates' interpreter has."""

    def __init__(self, judges: Judges, mode: str, run_alone: Callable[[Program], None]) -> None:
        """`run_alone` runs a program of ours in the candidates' interpreter, in a process of its own."""
        self._judges, self._mode, self._run_alone = judges, mode, run_alone
        self._installed: dict[str, bool] = {}

    def plans(self, jobs: Sequence[Job]) -> list[list[Plan]]:
        """A plan for every test; equal tests of one entry point share theirs."""
        items = list({(test, job.entry_point): None for job in jobs for test in job.tests})
        plans = {item: made for item in items if (made := stdin_plan(item[0])) is not None}
        others = [item for item in items if item not in plans]
        how = "official" if self._mode == "official" else "plan"
        answers = self._judges.ask(how, others, _PLAN_CPU_S) if others else []
        plans.update((item, _read_plan(answer, item)) for item, answer in zip(others, answers, strict=True))
        plans.update(self.rehearse([item for item in others if plans[item].kind == "play"]))
        absent = self._absent({name for made in plans.values() for name in made.modules})
        for item, made in plans.items():
            lacking = sorted(absent.intersection(made.modules))
            if lacking:
                plans[item] = Plan("missing", [], lacking[0])
        return [[plans[test, job.entry_point] for test in job.tests] for job in jobs]

    def rehearse(self, items: Sequence[Item]) -> dict[Item, Plan]:
        """Plans of tests that are played: with their first operations, or that they can not be played."""
        questions = [Question("rehearse", item, referee_for(item[0])) for item in items]
        plans: dict[Item, Plan] = {}
        whole: list[Item] = []
        for item, answer in zip(items, self._judges.ask_each(questions), strict=True):
            outcome = play.Outcome(play.INSEPARABLE)
            if answer is not None:
                with contextlib.suppress(Malformed, ValueError):
                    outcome = read_outcome(answer)
            if outcome.status == play.ASKS:
                plans[item] = played_plan(outcome.operations)
            elif outcome.status == play.BLIND:
                plans[item] = Plan("blind", [])
            else:
                whole.append(item)
        for item, answer in zip(whole, self._judges.ask("whole", whole, _PLAN_CPU_S), strict=True):
            plans[item] = _read_plan(answer, item)
        return plans

    def _absent(self, modules: set[str]) -> set[str]:
        """Those of the packages that the candidates' interpreter does not have."""
        unknown = sorted(modules - self._installed.keys())
        if unknown:
            named = "".join(f"# import {name}\n" for name in unknown)  # where no file can be opened, loaded beforehand
            probe = Program(0, _FIND.format(names=unknown) + named, [Plan("eq", [("eval", "absent")])], [1])
            self._run_alone(probe)
            found: Any = []
            value = probe.traces[0].values[:1]
            with contextlib.suppress(Malformed):
                found = decode(value[0]) if value and value[0] is not None else []
            self._installed.update((name, name not in found) for name in unknown)
        return {name for name in modules if not self._installed[name]}


def stdin_plan(test: str) -> Plan | None:
    """The plan of a test by input and output: its output stays here. None for any other test."""
    found = read_test(test)
    return None if found is None else Plan(STDIN, [(STDIN, found.input.encode())], "", found)


def played_plan(operations: Iterable[bytes]) -> Plan:
    """The plan of a test whose play has asked for these operations."""
    return Plan("play", [("op", operation) for operation in operations])


def _read_plan(answer: Judgement | None, item: Item) -> Plan:
    """A plan from the referee; a test that no parser survives is left to the candidate's interpreter."""
    if answer is not None and answer[0] == PLAN:
        try:
            return Plan(*decode(answer[1]))
        except (Malformed, ValueError, TypeError):
            pass
    return Plan("broken", [("whole", list(item))])
