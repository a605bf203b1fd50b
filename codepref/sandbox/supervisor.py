"""The sandbox: judges every code of a job on every test without letting the code near the decision.

Three kinds of process: the worker (candidates), at need a worker with heavy libraries preloaded, and the referee (tests
and comparisons; never sees a candidate). This process parses nothing untrusted but small plain data.
"""

import marshal
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal

from codepref.sandbox.base import Cell, Job, Limits, Matrix, Mode, Profile
from codepref.sandbox.interpreter import Interpreter, interpreter, own
from codepref.sandbox.plan import PLAN, Plan
from codepref.sandbox.process import Setup, Unit, WorkerProcess
from codepref.sandbox.trial import (
    SKIPPED,
    WHOLE,
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
from codepref.sandbox.verdict import Finding, Judgement, find, judge_needed

Lane = Literal["fast", "code", "strict"]
Packed = tuple[str, tuple[str, ...], list[list[tuple[Finding, Mode, float]]]]
"""Job, layers and rows of a matrix."""
_Findings = dict[tuple[int, int], tuple[Finding, Mode]]
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
_JUDGE_CPU_S, _PLAN_CPU_S = 1.0, 2.0


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
        programs, owners = _programs(jobs, plans)
        self._run(programs)
        findings = self._judge(programs)
        self._look_again(jobs, programs, findings)
        self._confirm(programs, findings)
        rows = [
            [(*findings[program.number, test], program.traces[test].cpu_s) for test in range(len(program.plans))]
            for program in programs
        ]
        return [
            (job.job_id, self.layers, [rows[owners[j, i]] for i in range(len(job.codes))]) for j, job in enumerate(jobs)
        ]

    # ------------------------------------------------------------------------------------------------ planning

    def _plan(self, jobs: Sequence[Job]) -> list[list[Plan]]:
        items = [(test, job.entry_point) for job in jobs for test in job.tests]
        plans = iter(self._ask_referee("whole" if self._mode == "official" else "plan", items, _PLAN_CPU_S))
        return [[_read_plan(next(plans), test) for test in job.tests] for job in jobs]

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
        if self._mode == "plain":
            for program in wanted:
                program.traces = {t: Trace(SKIPPED) for t, plan in enumerate(program.plans) if plan.kind in WHOLE}
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

    def _confirm(self, programs: Sequence[Program], findings: _Findings) -> None:
        """Runs time-outs under a shorter limit again with the full one, unless they are known to be final."""
        by_plans: dict[int, list[Program]] = {}
        for program in programs:
            by_plans.setdefault(program.job, []).append(program)
        while True:
            again: dict[bool, list[tuple[Program, int]]] = {}
            for program in programs:
                tests = unsure(program, by_plans[program.job], self._limits)
                if tests:
                    again.setdefault(program.heavy, []).append((program, tests[0]))
            if not again:
                return
            for heavy, cells in again.items():
                process = self._heavy_worker(program.source for program, _ in cells) if heavy else self._worker
                run_cells(process, cells, self._limits)
                findings.update(self._judge([program for program, _ in cells]))

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

    def _judge(self, programs: Iterable[Program]) -> _Findings:
        """Finding and mode of every cell; equal outcomes of one test are judged once."""
        known: dict[_Outcome, Finding] = {}
        unknown: dict[_Outcome, tuple[Plan, Trace]] = {}
        outcomes: dict[tuple[int, int], tuple[_Outcome, Mode]] = {}
        for program in programs:
            for test, plan in enumerate(program.plans):
                trace = program.traces[test]
                outcome = (id(plan), trace.state, trace.values, trace.note)
                outcomes[program.number, test] = outcome, "official" if plan.kind in WHOLE else "plain"
                if outcome not in known and outcome not in unknown:
                    if trace.state == SKIPPED:
                        known[outcome] = _UNSPLIT
                    elif judge_needed(plan, trace):
                        unknown[outcome] = plan, trace
                    else:
                        known[outcome] = find(plan, trace, None)
        for numpy in (False, True):
            part = {o: pair for o, pair in unknown.items() if _wants_numpy(*pair) == numpy}
            items = [(plan.prelude, plan.condition, list(trace.values)) for plan, trace in part.values()]
            answers = self._ask_referee("judge", items, _JUDGE_CPU_S, numpy) if items else []
            for (outcome, (plan, trace)), answer in zip(part.items(), answers, strict=True):
                known[outcome] = find(plan, trace, answer or (_STALLED, b""))
        return {place: (known[outcome], mode) for place, (outcome, mode) in outcomes.items()}

    def _look_again(self, jobs: Sequence[Job], programs: Sequence[Program], findings: _Findings) -> None:
        """Cells whose values were not plain data: once more with conversions run beside the candidate.

        Where nothing but objects of the candidate's own classes is compared, only its process can do that.
        """
        cells = [(p, t) for p in programs for t in range(len(p.plans)) if findings[p.number, t][0].again]
        items = list({(jobs[p.job].tests[t], jobs[p.job].entry_point): None for p, t in cells})
        answers = self._ask_referee("second", items, _PLAN_CPU_S) if items else []
        second = {item: _read_plan(answer, item[0]) for item, answer in zip(items, answers, strict=True)}
        tried = [(p, t, second[jobs[p.job].tests[t], jobs[p.job].entry_point]) for p, t in cells]
        self._replace([(p, t, plan) for p, t, plan in tried if plan.steps != p.plans[t].steps], findings)
        if self._mode == "auto":
            left = [(p, t, p.plans[t]) for p, t in cells if findings[p.number, t][0].again]
            self._replace([(p, t, _whole(plan)) for p, t, plan in left if plan.kind == "own"], findings)

    def _replace(self, cells: Sequence[tuple[Program, int, Plan]], findings: _Findings) -> None:
        """Runs and judges cells under other plans."""
        others = [
            Program(k, p.source, [plan], [plan.evaluations], p.job, 0, p.heavy) for k, (p, _, plan) in enumerate(cells)
        ]
        self._run(others)
        judged = self._judge(others)
        for (program, test, plan), other in zip(cells, others, strict=True):
            program.traces[test], findings[program.number, test] = other.traces[0], judged[other.number, 0]
            program.plans = [*program.plans[:test], plan, *program.plans[test + 1 :]]
            program.evaluations = [*program.evaluations[:test], plan.evaluations, *program.evaluations[test + 1 :]]


def matrix(packed: Packed) -> Matrix:
    """The public form of an answer."""
    job_id, names, rows = packed
    cells = tuple(tuple(Cell(found[0], mode, cpu_s, found[1], found[2]) for found, mode, cpu_s in row) for row in rows)
    return Matrix(job_id, cells, names)


def layers(python: str | None = None) -> tuple[str, ...]:
    """Isolation layers that a sandbox gets on this machine, found by starting its worker."""
    worker = WorkerProcess(Setup(("-c", _WORKER), interpreter(python or sys.executable), Limits()))
    try:
        worker.ready()
        return worker.layers
    finally:
        worker.close()


_STALLED = 99
_UNSPLIT = Finding("unjudged", "", "the test can not be judged from plain data; use mode auto or official")


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


def _wants_numpy(plan: Plan, trace: Trace) -> bool:
    return "numpy" in plan.prelude or any(value is not None and b"numpy" in value for value in trace.values)


def _read_plan(answer: Judgement | None, test: str) -> Plan:
    """A plan from the referee; a test that no parser survives is left to the candidate's interpreter."""
    if answer is not None and answer[0] == PLAN:
        try:
            return Plan(*decode(answer[1]))
        except (Malformed, ValueError, TypeError):
            pass
    return Plan("broken", [("exec", test)])


def _whole(plan: Plan) -> Plan:
    """The same test in one piece, run beside the candidate."""
    evaluated = iter([source for mode, source in plan.steps if mode == "eval"])
    condition = _PLACE.sub(lambda _: f"({next(evaluated)})", plan.condition)
    statements = [plan.prelude, *(source for mode, source in plan.steps if mode == "exec"), f"assert {condition}"]
    return Plan("official", [("exec", "\n".join(statements))])


_PLACE = re.compile(r"_v\(\d+\)")
