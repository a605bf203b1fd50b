"""The sandbox: judges every code of a job on every test without letting the code near the decision.

Three kinds of process: the worker (candidates), at need a worker with heavy libraries preloaded, and the referee (tests
and comparisons; never sees a candidate). This process parses nothing untrusted but small plain data.
"""

import contextlib
import marshal
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from codepref.sandbox import play, worker
from codepref.sandbox.base import Cell, Job, Limits, Matrix, Mode, Profile
from codepref.sandbox.interpreter import Interpreter, interpreter, own
from codepref.sandbox.plan import IDLE, PLAN, WHOLE, Plan
from codepref.sandbox.process import Setup, Unit, WorkerProcess
from codepref.sandbox.trial import (
    SKIPPED,
    Program,
    Trace,
    distinct,
    imported,
    records,
    run_alone,
    run_cells,
    run_shared,
    unsure,
)
from codepref.sandbox.value import Malformed, decode
from codepref.sandbox.verdict import (
    Finding,
    Judgement,
    answers_of,
    find,
    judge_needed,
    play_needed,
    read_outcome,
)
from codepref.sandbox.worker.table import NUMPY_MARK

Lane = Literal["fast", "code", "strict"]
Packed = tuple[str, tuple[str, ...], tuple[int, ...], list[list[tuple[Finding, Mode, float]]]]
"""Job, layers, blind tests and rows of a matrix."""
Item = tuple[str, str | None]
"""A test and its entry point."""
_Findings = dict[tuple[int, int], Finding]
_Outcome = tuple[int, int, tuple[bytes | None, ...], bytes]
HEAVY = ("numpy", "pandas", "scipy", "sklearn", "matplotlib", "requests", "sympy", "networkx", "torch", "tensorflow")
"""Libraries whose import costs more than a fork; preloaded in a second worker when a candidate imports one."""
_PRELOAD = {"matplotlib": "matplotlib.pyplot"}
_HERE = Path(__file__).resolve().parent
_WORKER = f"import sys; sys.path.insert(0, {str(_HERE)!r}); from worker import serve; serve.main(serve.candidates)"
_REFEREE = f"""
import sys, types
for name, path in ("codepref", {str(_HERE.parent)!r}), ("codepref.sandbox", {str(_HERE)!r}):
    sys.modules[name] = types.ModuleType(name)  # not the packages' own imports, which would double its start
    sys.modules[name].__path__ = [path]
from codepref.sandbox import referee
referee.main()
"""
_JUDGE_CPU_S, _PLAN_CPU_S, _PLAY_CPU_S = 1.0, 2.0, 4.0
MOST_ROUNDS = 40
"""Plays of one cell, each of which asks for what the last answers led to."""
_FIND = """
import importlib.util
def lacks(name):
    try:
        return importlib.util.find_spec(name) is None
    except (ImportError, ValueError):
        return True
absent = [name for name in {names!r} if lacks(name)]
"""


class Sandbox:
    """Runs jobs one after the other; a context manager, to be used by one thread at a time.

    `mode`: `auto` judges outside the candidate's process where the test allows it; `plain` leaves other tests unjudged;
    `official` runs every test whole beside the candidate. `lane`: `fast` runs programs proven harmless in shared
    processes, `code` gives each its own, `strict` gives every cell its own process; verdicts are the same.
    `profile`: by default that of the limits. `python` is the interpreter of the candidates (this one if None),
    `preload` names libraries to import once, `proc` shows candidates the /proc of their own PID namespace, which some
    libraries read (TensorFlow, psutil).
    Raises `SandboxUnavailable` if no isolated worker can be started, `ValueError` for unknown words.
    """

    _needs_referee = True
    """Whether it is started at once, beside the worker; else with the first question to it."""

    def __init__(
        self,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        *,
        mode: Literal["auto", "plain", "official"] = "auto",
        lane: Lane = "fast",
        profile: Profile | None = None,
        python: str | None = None,
        preload: tuple[str, ...] = (),
        allow_unisolated: bool = False,
        proc: bool = False,
    ) -> None:
        _check_word("mode", mode, ("auto", "plain", "official"))
        _check_word("lane", lane, ("fast", "code", "strict"))
        profile = profile or limits.profile
        _check_word("profile", profile, ("function", "library"))
        self._limits, self._mode, self._lane, self._profile = limits, mode, lane, profile
        self._python: Interpreter = interpreter(python or sys.executable)
        self._preload, self._unisolated, self._proc = tuple(preload), allow_unisolated, proc
        self._heavy: WorkerProcess | None = None
        self._heavy_names: frozenset[str] = frozenset()
        self._numpy_referee: WorkerProcess | None = None
        self._closed = False
        self._installed: dict[str, bool] = {}
        self._worker = self._start(self._preload)
        self._referee = self._start_referee(()) if self._needs_referee else None
        try:
            self._worker.ready()
            if self._referee is not None:
                self._referee.ready()
        except BaseException:
            self.close()
            raise

    def _start(self, preload: tuple[str, ...]) -> WorkerProcess:
        library = self._profile == "library"
        return WorkerProcess(
            Setup(("-c", _WORKER), self._python, self._limits, library, preload, self._unisolated, self._proc)
        )

    def _start_referee(self, preload: tuple[str, ...]) -> WorkerProcess:
        setup = Setup(("-P", "-c", _REFEREE), own(), self._limits, False, preload, self._unisolated)
        return WorkerProcess(setup)

    @property
    def layers(self) -> tuple[str, ...]:
        """Isolation layers in force for candidates."""
        return self._worker.layers

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends every process of this sandbox and waits until they are gone."""
        self._closed = True
        for process in (self._worker, self._referee, self._heavy, self._numpy_referee):
            if process is not None:
                process.close()

    def run(self, job: Job) -> Matrix:
        """The whole matrix of one prompt. Nothing a candidate does makes it raise."""
        return self.run_many([job])[0]

    def run_many(self, jobs: Sequence[Job]) -> list[Matrix]:
        """Like `run` for several jobs at once, which share processes where their programs are harmless."""
        return [matrix(packed) for packed in self.run_packed(jobs)]

    def run_packed(self, jobs: Sequence[Job]) -> list[Packed]:
        """Like `run_many`, in the form in which a pool sends matrices on."""
        if self._closed:
            raise ValueError("the sandbox is closed")
        plans = self._plan(jobs)
        tests = {(j, t): (test, job.entry_point) for j, job in enumerate(jobs) for t, test in enumerate(job.tests)}
        programs, owners = _programs(jobs, plans)
        self._run(programs)
        findings = self._settle(programs, tests)
        self._confirm(programs, findings, tests)
        rows = [
            [_cell(program, test, findings[program.number, test]) for test in range(len(program.plans))]
            for program in programs
        ]
        packed = []
        for j, job in enumerate(jobs):
            blind = tuple(test for test, plan in enumerate(plans[j]) if plan.kind == "blind")
            packed.append((job.job_id, self.layers, blind, [rows[owners[j, i]] for i in range(len(job.codes))]))
        return packed

    # ------------------------------------------------------------------------------------------------ planning

    def _plan(self, jobs: Sequence[Job]) -> list[list[Plan]]:
        """A plan for every test; equal tests of one entry point share theirs."""
        items = list({(test, job.entry_point): None for job in jobs for test in job.tests})
        how = "whole" if self._mode == "official" else "plan"
        answers = self._ask_referee(how, items, _PLAN_CPU_S)
        plans = {item: _read_plan(answer, item) for item, answer in zip(items, answers, strict=True)}
        plans.update(self._rehearse([item for item in items if plans[item].kind == "play"]))
        absent = self._absent({name for made in plans.values() for name in made.modules})
        for item, made in plans.items():
            lacking = sorted(absent.intersection(made.modules))
            if lacking:
                plans[item] = Plan("missing", [], lacking[0])
        return [[plans[test, job.entry_point] for test in job.tests] for job in jobs]

    def _rehearse(self, items: Sequence[Item]) -> dict[Item, Plan]:
        """Plans of tests that are played: with their first operations, or that they can not be played."""
        questions = [("rehearse", item, _wants_numpy(item[0], ())) for item in items]
        plans: dict[Item, Plan] = {}
        whole: list[Item] = []
        for item, answer in zip(items, self._ask_each(questions), strict=True):
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
        for item, answer in zip(whole, self._ask_referee("whole", whole, _PLAN_CPU_S), strict=True):
            plans[item] = _read_plan(answer, item)
        return plans

    def _absent(self, modules: set[str]) -> set[str]:
        """Those of the packages that the candidates' interpreter does not have."""
        unknown = sorted(modules - self._installed.keys())
        if unknown:
            probe = Program(0, _FIND.format(names=unknown), [Plan("eq", [("eval", "absent")])], [1])
            run_alone(self._worker, [probe], self._limits)
            found: Any = []
            value = probe.traces[0].values[:1]
            with contextlib.suppress(Malformed):
                found = decode(value[0]) if value and value[0] is not None else []
            self._installed.update((name, name not in found) for name in unknown)
        return {name for name in modules if not self._installed[name]}

    def _ask_referee(
        self, kind: str, items: Sequence[tuple[object, ...]], cpu_s: float, numpy: bool = False
    ) -> list[Judgement | None]:
        """One answer an item; an item that ends its process is asked once more alone, then left without answer."""
        answers: list[Judgement | None] = [None] * len(items)
        todo = list(range(len(items)))
        process = self._asked(numpy)
        while todo:
            payload = marshal.dumps((kind, [items[i] for i in todo]), 2)
            unit = Unit(payload, cpu_s, cpu_s, self._limits.wall_s, len(todo))
            (answer,) = process.ask([unit])
            done = list(records(answer.records))
            for place, record in zip(todo, done, strict=False):
                answers[place] = record[3], record[5]
            alone = len(todo) == 1
            todo = todo[len(done) :]
            if todo and not alone and not (answer.complete and done):
                culprit = todo.pop(0)
                answers[culprit] = self._ask_referee(kind, [items[culprit]], cpu_s, numpy)[0]
            elif alone:
                break
        return answers

    def _ask_each(self, questions: Sequence[tuple[str, Any, bool]]) -> list[Judgement | None]:
        """One answer a question `(kind, item, whether it needs numpy)`, each from a process of its own.

        A process that a test's text took over could answer this one question, as the answer is taken by its place here.
        """
        answers: list[Judgement | None] = [None] * len(questions)
        for numpy in (False, True):
            places = [place for place, question in enumerate(questions) if question[2] == numpy]
            units = []
            for place in places:
                kind, item, _ = questions[place]
                units.append(Unit(marshal.dumps((kind, item), 2), _PLAY_CPU_S, _PLAY_CPU_S, self._limits.wall_s, 1))
            if units:
                for place, answer in zip(places, self._asked(numpy).ask(units), strict=True):
                    record = next(records(answer.records), None)
                    answers[place] = None if record is None else (record[3], record[5])
        return answers

    def _asked(self, numpy: bool) -> WorkerProcess:
        """The referee with or without numpy, started when it is first needed."""
        found = self._numpy_referee if numpy else self._referee
        if found is None:
            found = self._start_referee(("numpy",) if numpy else ())
            found.ready()
            if numpy:
                self._numpy_referee = found
            else:
                self._referee = found
        return found

    # ------------------------------------------------------------------------------------------------- running

    def _run(self, programs: Sequence[Program]) -> None:
        wanted = [program for program in programs if program.plans]
        skipped = IDLE | WHOLE if self._mode == "plain" else IDLE
        for program in wanted:
            program.traces.update((t, Trace(SKIPPED)) for t, plan in enumerate(program.plans) if plan.kind in skipped)
        light = [program for program in wanted if not program.heavy]
        heavy = [program for program in wanted if program.heavy]
        if self._lane != "strict":
            for group in [wanted] if self._lane == "fast" else [[program] for program in wanted]:
                run_shared(self._worker, group, self._limits)
        run_alone(self._worker, light, self._limits)
        heavy = [program for program in heavy if len(program.traces) < len(program.plans)]
        if heavy:
            process = self._heavy_worker(program.source for program in heavy)
            if self._lane != "strict":
                for group in [heavy] if self._lane == "fast" else [[program] for program in heavy]:
                    run_shared(process, group, self._limits)
            run_alone(process, heavy, self._limits)

    def _confirm(self, programs: Sequence[Program], findings: _Findings, tests: dict[tuple[int, int], Item]) -> None:
        """Runs time-outs under a shorter limit again with the full one, unless they are known to be final."""

        def passed(number: int, test: int) -> bool:
            return findings[number, test].verdict == "passed"

        by_plans: dict[int, list[Program]] = {}
        for program in programs:
            by_plans.setdefault(program.job, []).append(program)
        while True:
            again: dict[bool, list[tuple[Program, int]]] = {}
            for program in programs:
                tests = unsure(program, by_plans[program.job], self._limits, passed)
                if tests:
                    again.setdefault(program.heavy, []).append((program, tests[0]))
            if not again:
                return
            for heavy, cells in again.items():
                process = self._heavy_worker(program.source for program, _ in cells) if heavy else self._worker
                run_cells(process, cells, self._limits)
                findings.update(self._settle([program for program, _ in cells], tests))

    def _heavy_worker(self, sources: Iterable[str]) -> WorkerProcess:
        """A worker that has loaded what these programs, and those before them, import."""
        wanted = self._heavy_names.union(*(imported(source).intersection(HEAVY) for source in sources))
        if self._heavy is None or wanted != self._heavy_names:
            if self._heavy is not None:
                self._heavy.close()
            self._heavy_names = wanted
            self._heavy = self._start((*self._preload, *(_PRELOAD.get(name, name) for name in HEAVY if name in wanted)))
            self._heavy.ready()
        return self._heavy

    # ------------------------------------------------------------------------------------------------- judging

    def _settle(self, programs: Sequence[Program], tests: dict[tuple[int, int], Item]) -> _Findings:
        """Finding of every cell. Tests that ask for more are run and played again until they have what they need."""
        findings = self._judge(programs, tests)
        left = [(program, test) for program in programs for test in range(len(program.plans))]
        for _ in range(MOST_ROUNDS):
            left = [(program, test) for program, test in left if findings[program.number, test].again]
            if not left or self._mode == "official":
                break
            plans = self._next_plans(left, findings, tests)
            others = [
                Program(number, program.source, plan, [plan[0].evaluations], program.job, 0, program.heavy)
                for number, ((program, _), plan) in enumerate(zip(left, plans, strict=True))
            ]
            self._run(others)
            asked = {(number, 0): tests[program.job, test] for number, (program, test) in enumerate(left)}
            judged = self._judge(others, asked, by_number=True)
            for other, (program, test) in zip(others, left, strict=True):
                program.traces[test], findings[program.number, test] = other.traces[0], judged[other.number, 0]
                program.plans = [*program.plans[:test], other.plans[0], *program.plans[test + 1 :]]
                program.evaluations = [
                    *program.evaluations[:test],
                    other.evaluations[0],
                    *program.evaluations[test + 1 :],
                ]
        return findings

    def _next_plans(
        self, cells: Sequence[tuple[Program, int]], findings: _Findings, tests: dict[tuple[int, int], Item]
    ) -> list[list[Plan]]:
        """Plans with the operations that the last play asked for; of a direct test, its first play. Equal ones are one."""
        direct = list({tests[p.job, t]: None for p, t in cells if p.plans[t].kind != "play"})
        first = self._rehearse(direct)
        made: dict[object, list[Plan]] = {}
        plans = []
        for program, test in cells:
            item = tests[program.job, test]
            operations = findings[program.number, test].operations
            if program.plans[test].kind == "play":
                plans.append(made.setdefault((item, operations), [played_plan(operations)]))
            else:
                plans.append(made.setdefault(item, [first[item]]))
        return plans

    def _judge(
        self, programs: Iterable[Program], tests: dict[tuple[int, int], Item], by_number: bool = False
    ) -> _Findings:
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
        self._judge_conditions(conditions, known)
        self._judge_plays(plays, known)
        return {place: known[outcome] for place, outcome in outcomes.items()}

    def _judge_conditions(self, unknown: dict[_Outcome, tuple[Plan, Trace]], known: dict[_Outcome, Finding]) -> None:
        for numpy in (False, True):
            part = {o: pair for o, pair in unknown.items() if _wants_numpy("", pair[1].values) == numpy}
            items = [(("", *_condition(plan)), list(trace.values)) for plan, trace in part.values()]
            questions = [(head[0], head[1], values) for head, values in items]
            answers = self._ask_referee("judge", questions, _JUDGE_CPU_S, numpy) if questions else []
            for (outcome, (plan, trace)), answer in zip(part.items(), answers, strict=True):
                known[outcome] = find(plan, trace, answer or (_STALLED, b""))

    def _judge_plays(self, unknown: dict[_Outcome, tuple[Plan, Trace, Item]], known: dict[_Outcome, Finding]) -> None:
        questions = []
        for plan, trace, (test, entry_point) in unknown.values():
            answers = answers_of(trace)
            operations = [operation for _, operation in plan.steps]
            item = test, entry_point, operations, answers, trace.state != worker.VALUE
            questions.append(("play", item, _wants_numpy(test, answers)))
        for (outcome, (plan, trace, _)), answer in zip(unknown.items(), self._ask_each(questions), strict=True):
            known[outcome] = find(plan, trace, answer or (_STALLED, b""))


def matrix(packed: Packed) -> Matrix:
    """The public form of an answer."""
    job_id, names, blind, rows = packed
    cells = tuple(tuple(Cell(found[0], mode, cpu_s, found[1], found[2]) for found, mode, cpu_s in row) for row in rows)
    return Matrix(job_id, cells, names, blind)


def _cell(program: Program, test: int, finding: Finding) -> tuple[Finding, Mode, float]:
    whole = program.plans[test].kind in WHOLE or finding.own
    return finding, "official" if whole else "plain", program.traces[test].cpu_s


def layers(python: str | None = None) -> tuple[str, ...]:
    """Isolation layers that a sandbox gets on this machine, found by starting its worker."""
    worker = WorkerProcess(Setup(("-c", _WORKER), interpreter(python or sys.executable), Limits()))
    try:
        worker.ready()
        return worker.layers
    finally:
        worker.close()


_STALLED = 99
_UNSPLIT = Finding("unjudged", "", "the test can not be judged outside the code's process; use mode auto or official")


def _skipped(plan: Plan) -> Finding:
    if plan.kind == "blind":
        return Finding("unjudged", "", "blind: the test checks nothing that the code returns")
    if plan.kind == "missing":
        return Finding("unjudged", "", f"the test needs {plan.condition}, which is not installed")
    return _UNSPLIT


def _condition(plan: Plan) -> tuple[str]:
    """The condition of a plan as text; a comparison of a value that is too large to be looked at here."""
    if plan.kind == "judge":
        return (plan.condition,)
    return (_CONDITIONS[plan.kind].format(expected=repr(plan.expected)),)


_CONDITIONS = {
    "eq": "_v(0) == {expected}", "ne": "_v(0) != {expected}", "is": "_v(0) is {expected}",
    "isnot": "_v(0) is not {expected}", "truth": "_v(0)", "not": "not _v(0)",
}  # fmt: skip


def _check_word(name: str, word: str, allowed: tuple[str, ...]) -> None:
    if word not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, not {word!r}")


def _programs(jobs: Sequence[Job], plans: Sequence[list[Plan]]) -> tuple[list[Program], dict[tuple[int, int], int]]:
    """Distinct programs of all jobs, numbered, and the program of each (job, code)."""
    programs: list[Program] = []
    owners: dict[tuple[int, int], int] = {}
    for j, job in enumerate(jobs):
        sources = distinct(job.codes)
        evaluations = [plan.evaluations for plan in plans[j]]
        for source, places in sources.items():
            owners.update({(j, place): len(programs) for place in places})
            heavy = "import" in source and not imported(source).isdisjoint(HEAVY)
            programs.append(Program(len(programs), source, plans[j], evaluations, j, len(sources), heavy))
    return programs, owners


def _wants_numpy(test: str, values: Iterable[bytes | None]) -> bool:
    return bool(_NUMPY.search(test)) or any(value is not None and NUMPY_MARK in value for value in values)


_NUMPY = re.compile(r"\b(?:np|numpy)\b")


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
