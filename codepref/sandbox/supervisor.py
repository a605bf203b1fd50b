"""The sandbox: judges every code of a job on every test without letting the code near the decision.

Three kinds of process: the worker (candidates), at need a worker with heavy libraries preloaded, and the referee (tests
and comparisons; never sees a candidate). This process parses nothing untrusted but small plain data.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal

from codepref.sandbox.base import Cell, Job, Limits, Matrix, Mode, Profile
from codepref.sandbox.interpreter import Interpreter, interpreter, own
from codepref.sandbox.judges import Judges
from codepref.sandbox.judging import Findings, judge
from codepref.sandbox.plan import IDLE, WHOLE, Plan
from codepref.sandbox.planning import Item, Planner, played_plan
from codepref.sandbox.process import Setup, WorkerProcess
from codepref.sandbox.trial import (
    SKIPPED,
    Program,
    Trace,
    distinct,
    imported,
    run_alone,
    run_cells,
    run_shared,
    unsure,
)
from codepref.sandbox.verdict import (
    Finding,
)

Lane = Literal["fast", "code", "strict"]
Packed = tuple[str, tuple[str, ...], tuple[int, ...], list[list[tuple[Finding, Mode, float]]]]
"""Job, layers, blind tests and rows of a matrix."""
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
MOST_ROUNDS = 40
"""Plays of one cell, each of which asks for what the last answers led to."""


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
        self._closed = False
        self._worker = self._start(self._preload)
        self._judges = Judges(self._start_referee, limits.wall_s)
        self._planner = Planner(self._judges, mode, lambda program: run_alone(self._worker, [program], limits))
        if self._needs_referee:
            self._judges.begin()
        try:
            self._worker.ready()
            self._judges.ready()
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
        self._judges.close()
        for process in (self._worker, self._heavy):
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
        plans, programs, owners, findings = self._run_jobs(jobs)
        rows = [
            [_cell(program, test, findings[program.number, test]) for test in range(len(program.plans))]
            for program in programs
        ]
        packed = []
        for j, job in enumerate(jobs):
            blind = tuple(test for test, plan in enumerate(plans[j]) if plan.kind == "blind")
            packed.append((job.job_id, self.layers, blind, [rows[owners[j, i]] for i in range(len(job.codes))]))
        return packed

    def run_cell(self, code: str, test: str, entry_point: str | None) -> tuple[Cell, Plan, Trace]:
        """One cell: how it came out, how its test is judged, and what the candidate's process sent back."""
        _, (program,), _, findings = self._run_jobs([Job("look", (code,), (test,), entry_point)])
        finding, mode, cpu_s = _cell(program, 0, findings[program.number, 0])
        cell = Cell(finding.verdict, mode, cpu_s, finding.fingerprint, finding.error)
        return cell, program.plans[0], program.traces.get(0, Trace(SKIPPED))

    def _run_jobs(
        self, jobs: Sequence[Job]
    ) -> tuple[list[list[Plan]], list[Program], dict[tuple[int, int], int], Findings]:
        """Plans by job and test, programs, the program of each (job, code), and the finding of every cell."""
        if self._closed:
            raise ValueError("the sandbox is closed")
        plans = self._planner.plans(jobs)
        tests = {(j, t): (test, job.entry_point) for j, job in enumerate(jobs) for t, test in enumerate(job.tests)}
        programs, owners = _programs(jobs, plans)
        self._run(programs)
        findings = self._settle(programs, tests)
        self._confirm(programs, findings, tests)
        return plans, programs, owners, findings

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

    def _confirm(self, programs: Sequence[Program], findings: Findings, tests: dict[tuple[int, int], Item]) -> None:
        """Runs time-outs under a shorter limit again with the full one, unless they are known to be final."""

        def passed(number: int, test: int) -> bool:
            return findings[number, test].verdict == "passed"

        by_plans: dict[int, list[Program]] = {}
        for program in programs:
            by_plans.setdefault(program.job, []).append(program)
        while True:
            again: dict[bool, list[tuple[Program, int]]] = {}
            for program in programs:
                places = unsure(program, by_plans[program.job], self._limits, passed)
                if places:
                    again.setdefault(program.heavy, []).append((program, places[0]))
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

    def _settle(self, programs: Sequence[Program], tests: dict[tuple[int, int], Item]) -> Findings:
        """Finding of every cell. Tests that ask for more are run and played again until they have what they need."""
        findings = judge(self._judges, programs, tests)
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
            judged = judge(self._judges, others, asked, by_number=True)
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
        self, cells: Sequence[tuple[Program, int]], findings: Findings, tests: dict[tuple[int, int], Item]
    ) -> list[list[Plan]]:
        """Plans with the operations that the last play asked for; of a direct test, its first play.

        Equal plans are one object.
        """
        direct = list({tests[p.job, t]: None for p, t in cells if p.plans[t].kind != "play"})
        first = self._planner.rehearse(direct)
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
