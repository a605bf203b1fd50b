"""Findings of cells: what the supervisor can decide itself, and what it asks the referee."""

from collections.abc import Iterable, Mapping

from codepref.sandbox import worker
from codepref.sandbox.judges import NUMPY, PLAIN, Judges, Question, referee_for
from codepref.sandbox.plan import Plan
from codepref.sandbox.planning import Item
from codepref.sandbox.trial import SKIPPED, Program, Trace
from codepref.sandbox.verdict import Finding, answers_of, find, judge_needed, play_needed

Findings = dict[tuple[int, int], Finding]
"""By number of the program and place of the test."""
_Outcome = tuple[int, int, tuple[bytes | None, ...], bytes]
_JUDGE_CPU_S = 1.0
_STALLED = 99
_UNSPLIT = Finding("unjudged", "", "the test can not be judged outside the code's process; use mode auto or official")


def _skipped(plan: Plan) -> Finding:
    if plan.kind == "blind":
        return Finding("unjudged", "", "blind: the test checks nothing that the code returns")
    if plan.kind == "missing":
        return Finding("unjudged", "", f"the test needs {plan.condition}, which is not installed")
    return _UNSPLIT


def _condition(plan: Plan) -> str:
    """The condition of a plan as text; a comparison of a value that is too large to be looked at here."""
    if plan.kind == "judge":
        return plan.condition
    return _CONDITIONS[plan.kind].format(expected=repr(plan.expected))


_CONDITIONS = {
    "eq": "_v(0) == {expected}", "ne": "_v(0) != {expected}", "is": "_v(0) is {expected}",
    "isnot": "_v(0) is not {expected}", "truth": "_v(0)", "not": "not _v(0)",
}  # fmt: skip


def judge(
    judges: Judges, programs: Iterable[Program], tests: Mapping[tuple[int, int], Item], by_number: bool = False
) -> Findings:
    """Finding of every cell; equal outcomes of one test are judged once. `tests`: by job (or number) and place."""
    known: dict[_Outcome, Finding] = {}
    conditions: dict[_Outcome, tuple[Plan, Trace]] = {}
    plays: dict[_Outcome, tuple[Plan, Trace, Item]] = {}
    outcomes: dict[tuple[int, int], _Outcome] = {}
    for program in programs:
        for test, plan in enumerate(program.plans):
            trace = program.traces[test]
            outcome = (id(plan), trace.state, trace.values, trace.note)
            outcomes[program.number, test] = outcome
            if outcome in known or outcome in conditions or outcome in plays:
                continue
            if trace.state == SKIPPED:
                known[outcome] = _skipped(plan)
            elif play_needed(plan, trace):
                plays[outcome] = plan, trace, tests[program.number if by_number else program.job, test]
            elif judge_needed(plan, trace):
                conditions[outcome] = plan, trace
            else:
                known[outcome] = find(plan, trace, None)
    _judge_conditions(judges, conditions, known)
    _judge_plays(judges, plays, known)
    return {place: known[outcome] for place, outcome in outcomes.items()}


def _judge_conditions(
    judges: Judges, unknown: dict[_Outcome, tuple[Plan, Trace]], known: dict[_Outcome, Finding]
) -> None:
    for referee in (PLAIN, NUMPY):
        part = {o: pair for o, pair in unknown.items() if referee_for("", pair[1].values) == referee}
        questions = [("", _condition(plan), list(trace.values)) for plan, trace in part.values()]
        answers = judges.ask("judge", questions, _JUDGE_CPU_S, referee) if questions else []
        for (outcome, (plan, trace)), answer in zip(part.items(), answers, strict=True):
            known[outcome] = find(plan, trace, answer or (_STALLED, b""))


def _judge_plays(
    judges: Judges, unknown: dict[_Outcome, tuple[Plan, Trace, Item]], known: dict[_Outcome, Finding]
) -> None:
    questions = []
    for plan, trace, (test, entry_point) in unknown.values():
        answers = answers_of(trace)
        operations = [operation for _, operation in plan.steps]
        item = test, entry_point, operations, answers, trace.state != worker.VALUE
        questions.append(Question("play", item, referee_for(test, answers)))
    for (outcome, (plan, trace, _)), answer in zip(unknown.items(), judges.ask_each(questions), strict=True):
        known[outcome] = find(plan, trace, answer or (_STALLED, b""))
