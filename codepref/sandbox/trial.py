"""Running programs on tests: which process runs what, under which limit, and what came back.

A `Program` is one distinct text of a job. Its `traces` hold what happened on each test: the values it returned as
bytes, or how it ended. Nothing is compared here; that is verdict.py.
"""

import marshal
import os
import re
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from codepref.sandbox import worker
from codepref.sandbox.base import Limits
from codepref.sandbox.plan import ALONE, STDIN, Plan
from codepref.sandbox.process import Answer, Unit, WorkerProcess

GRACE_S = 5.0
TIMEOUT, CRASH, LOST, RUNNING, SKIPPED = range(100, 105)
"""States of a trace besides the statuses of the worker's last record."""
EVIDENCE, MARGIN = 3, 10
"""A shorter limit is final if so many other programs finished the test within that fraction of it."""
_TELLING = frozenset((worker.RAISED, worker.UNRUNNABLE))
_FINAL_SHARED = frozenset((SKIPPED, worker.VALUE, worker.RAISED, worker.NO_TEST, worker.UNCOMPILED))
_ENDS = frozenset((worker.RAISED, worker.UNRUNNABLE, worker.NO_MEMORY, worker.TOO_LARGE, worker.NO_TEST))
WHY = {worker.CPU_LIMIT: "CPU limit", worker.WALL_LIMIT: "wall limit", worker.LOAD_LIMIT: "load limit"}
"""Why a process was killed, in words."""
FULL_BYTES = 8 << 20
"""The pages of a process hold at least so much beyond the output limit; one that ended with less ended itself."""
NOT_STARTED = "no process could be started for it: the machine or its user has too many"
BROKEN = "the worker broke down"
_OUT_OF_TIME = (signal.SIGKILL, signal.SIGXCPU)
"""Wait statuses of a process that the kernel ended at its limit."""
MOST_CPU_S = 1e6
"""No process gets so much CPU time; a longer one was made up."""


class Trace(NamedTuple):
    """One program on one test. `values` are the returned values, None for one that is not plain data."""

    state: int
    cpu_s: float = 0.0
    values: tuple[bytes | None, ...] = ()
    note: bytes = b""
    """Type and message of an exception, or truth (T, F, E) and type name of a value that is not plain data."""
    limit_s: float = 0.0
    """CPU limit that a time-out hit."""


_NOTHING = Trace(RUNNING)


@dataclass
class Program:
    """One distinct program of a job, and what happened to it so far."""

    number: int
    source: str
    plans: Sequence[Plan]
    evaluations: Sequence[int]
    """Number of values that each test returns."""
    job: int = 0
    companions: int = 0
    """Number of distinct programs of the job."""
    heavy: bool = False
    """Imports a library that a worker of its own has loaded."""
    traces: dict[int, Trace] = field(default_factory=dict)

    def tests(self) -> list[list[tuple[str, str]]]:
        """What the child evaluates, in the worker's form."""
        return [plan.steps for plan in self.plans]


def todo_shared(program: Program) -> list[int]:
    """Tests that need no process of their own. What runs a test's statements may leave anything behind."""
    return [test for test, plan in enumerate(program.plans) if plan.kind not in ALONE and test not in program.traces]


def shared_unit(programs: Sequence[Program], limits: Limits) -> Unit:
    """One process for programs of one or several jobs."""
    jobs: list[tuple[list[list[tuple[str, str]]], list[tuple[int, str, list[int]]]]] = []
    last: Sequence[Plan] | None = None
    for program in programs:
        if program.plans is not last:
            jobs.append((program.tests(), []))
            last = program.plans
        jobs[-1][1].append((program.number, program.source, todo_shared(program)))
    screen_s = screen(limits)
    payload = marshal.dumps((worker.SHARED, None, jobs), 2)
    return Unit(payload, screen_s, screen_s, limits.wall_s, sum(2 + 4 * len(program.plans) for program in programs))


def screen(limits: Limits) -> float:
    """The shorter CPU limit."""
    return limits.cpu_s if limits.screen_s is None else min(limits.screen_s, limits.cpu_s)


def later_limit(program: Program, limits: Limits) -> float:
    """CPU limit after a first time-out: the shorter one where the job can give evidence that a test is easy."""
    return screen(limits) if program.companions > EVIDENCE else limits.cpu_s


def cells_unit(program: Program, todo: Sequence[int], limits: Limits) -> Unit:
    """One process for each of these tests of a program, forked from one that compiled it and imported its libraries."""
    tests = program.tests()
    job = ([tests[test] for test in todo], [(program.number, program.source, list(range(len(todo))))])
    payload = marshal.dumps((worker.CELLS, (limits.cpu_s, later_limit(program, limits), limits.wall_s), [job]), 2)
    return Unit(payload, limits.load_s, limits.cpu_s + 1.0, limits.wall_s + GRACE_S, 2 + 4 * len(todo))


def records(data: bytes) -> Iterator[tuple[int, int, int, int, float, bytes]]:
    """Program, test, slot, status, CPU seconds and data of every complete record, whatever the bytes are."""
    at, size, end, unpack = 0, worker.RECORD.size, len(data), worker.RECORD.unpack_from
    while at + size <= end:
        program, test, slot, status, length, cpu_s = unpack(data, at)
        start = at + size
        at = start + length
        if at > end:
            return
        yield program, test, slot, status, _seconds(cpu_s), data[start:at]


class Ended(NamedTuple):
    """What is known of a process of a candidate: how it ended, and the records it wrote, which may be forged."""

    status: int
    why: int
    least_s: float
    """CPU seconds without what the start and the end of a process may cost."""
    cpu_s: float
    """CPU seconds with them."""
    records: bytes

    def cost(self, claimed_s: float) -> float:
        """CPU seconds of the candidate: its own figure is finer, and is believed between the two measured outside."""
        return min(max(claimed_s, self.least_s), self.cpu_s)

    def reason(self, limits: Limits) -> tuple[int, str]:
        """State and words for a test that it did not finish."""
        if self.why == worker.NOT_STARTED:
            return LOST, NOT_STARTED
        if self.why == worker.OUTPUT_LIMIT or self.status == worker.OUT_OF_ROOM << 8:
            return worker.TOO_LARGE, "more output than the limit allows"
        if self.why != worker.ENDED:
            return TIMEOUT, WHY.get(self.why, "limit")
        if self.status == worker.OUT_OF_MEMORY << 8:
            return worker.NO_MEMORY, "MemoryError"
        if self.status in _OUT_OF_TIME and self.cpu_s >= limits.cpu_s:
            return TIMEOUT, WHY[worker.CPU_LIMIT]
        return CRASH, exit_words(self.status)


def ended(data: bytes) -> Ended:
    """The data of a `CELL` record; of one that is none, a process of which nothing is known but that it ended."""
    if len(data) < worker.ENDING.size:
        return Ended(0, worker.ENDED, 0.0, 0.0, b"")
    status, why, least_s, cpu_s = worker.ENDING.unpack_from(data)
    why = why if why in WHY or why in (worker.OUTPUT_LIMIT, worker.NOT_STARTED) else worker.ENDED
    return Ended(status, why, _seconds(least_s), _seconds(cpu_s), data[worker.ENDING.size :])


def _seconds(claimed: float) -> float:
    """A time that somebody wrote down, 0 for one that can not be."""
    return claimed if 0.0 <= claimed < MOST_CPU_S else 0.0


def exit_words(status: int) -> str:
    """A wait status in words; never raises."""
    number = status & 0x7F
    if number in (0, 0x7F):
        return f"exit status {status >> 8 & 0xFF}"
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def absorb(
    program: Program, test: int, record: tuple[int, int, int, int, float, bytes], output_bytes: int = 1 << 62
) -> None:
    """Adds one record to the trace of a cell. A forged record can only be a wrong value."""
    _, _, slot, status, cpu_s, data = record
    if len(data) > output_bytes:
        status, data = worker.TOO_LARGE, b""
    state, used_s, values, _, _ = program.traces.get(test, _NOTHING)
    if state != RUNNING or slot != len(values):
        return
    cpu_s = 0.0 if status == worker.NO_TEST else cpu_s + used_s
    if status in (worker.VALUE, worker.OPAQUE):
        values = (*values, data if status == worker.VALUE else None)
        if len(values) >= program.evaluations[test]:
            state = worker.VALUE
        program.traces[test] = Trace(state, cpu_s, values, b"" if status == worker.VALUE else data)
    elif status in _ENDS:
        program.traces[test] = Trace(status, cpu_s, values, data if status in _TELLING else b"")


def run_shared(process: WorkerProcess, programs: Sequence[Program], limits: Limits) -> None:
    """Runs all tests of harmless programs in as few processes as possible.

    Whatever else happens to a program here leaves no trace: it is run again with one process a test.
    """
    left = [program for program in programs if todo_shared(program)]
    while left:
        (answer,) = process.ask([shared_unit(left, limits)])
        by_number = {program.number: program for program in left}
        settled: set[int] = set()
        for record in records(answer.records):
            number, test, slot, status, cpu_s, data = record
            program = by_number.get(number)
            if program is None or test >= len(program.plans):
                continue
            if status == worker.VALUE and slot == 0 and program.evaluations[test] == 1 and test not in program.traces:
                program.traces[test] = Trace(status, cpu_s, (data,))  # what `absorb` would do, for nearly all records
            elif status in (worker.IMPURE, worker.DONE):
                settled.add(number)
            elif status == worker.UNCOMPILED:
                settled.add(number)
                for place in range(len(program.plans)):
                    program.traces.setdefault(place, Trace(worker.UNCOMPILED))
            else:
                absorb(program, test, record)
        for program in left:
            for test in [test for test, trace in program.traces.items() if trace.state not in _FINAL_SHARED]:
                del program.traces[test]
        unsettled = [program for program in left if program.number not in settled]
        left = unsettled[1:]  # the first of them ended the process


def run_cells(process: WorkerProcess, cells: Sequence[tuple[Program, int]], limits: Limits) -> None:
    """Gives every cell a trace, each from its own process."""
    todo: dict[int, list[int]] = {}
    programs = {program.number: program for program, _ in cells}
    for program, test in cells:
        program.traces.pop(test, None)
        todo.setdefault(program.number, []).append(test)
    while todo:
        units = [cells_unit(programs[number], tests, limits) for number, tests in todo.items()]
        left: dict[int, list[int]] = {}
        for (number, tests), answer in zip(todo.items(), process.ask(units), strict=True):
            _absorb_cells(programs[number], tests, answer, limits)
            rest = [test for test in tests if test not in programs[number].traces]
            if rest:
                left[number] = rest
        todo = left


def _absorb_cells(program: Program, tests: Sequence[int], answer: Answer, limits: Limits) -> None:
    """Traces from one unit. At least the first test gets one; without any record it is what ended the process."""
    limit_s = limits.cpu_s
    streams: dict[int, bytes] = {}
    for record in records(answer.records):
        number, place, _, status, _, data = record
        if number != program.number or place >= len(tests):
            continue
        if status == worker.UNCOMPILED:
            program.traces.update({test: Trace(worker.UNCOMPILED) for test in tests})
        elif status == worker.CELL:
            process = ended(data)
            if program.plans[tests[place]].kind == STDIN:
                program.traces[tests[place]] = _ran(process, streams, limits, limit_s)
                streams = {}
            else:
                _absorb_cell(program, tests[place], place, process, limits, limit_s)
            if process.why != worker.ENDED:
                limit_s = later_limit(program, limits)
        elif status in (worker.PRINTED, worker.COMPLAINED):
            streams[status] = data
        elif status == worker.NO_TEST:
            absorb(program, tests[place], record)
    unfinished = [test for test in tests if test not in program.traces]
    if unfinished and (unfinished[0] == tests[0] or not answer.complete):
        program.traces[unfinished[0]] = _lost(answer, limit_s)


def _absorb_cell(program: Program, test: int, place: int, process: Ended, limits: Limits, limit_s: float) -> None:
    """The trace of one cell from what its own process wrote; its CPU time is the one measured outside."""
    program.traces.pop(test, None)
    for record in records(process.records):
        if record[0] == program.number and record[1] == place:
            absorb(program, test, record, limits.output_bytes)
    state, claimed_s, values, note, _ = program.traces.get(test, _NOTHING)
    given_s = 0.0
    if state != RUNNING and process.why != worker.ENDED:
        values = ()  # it went on when all was said, or wrote down itself that it was
    if state == RUNNING or process.why != worker.ENDED:
        state, words = process.reason(limits)
        note, given_s = words.encode(), limit_s if process.why == worker.CPU_LIMIT else 0.0
    program.traces[test] = Trace(state, process.cost(claimed_s), values, note, given_s)


def _ran(process: Ended, streams: dict[int, bytes], limits: Limits, limit_s: float) -> Trace:
    """The trace of a whole program: what it printed, and how it ended.

    Of what it wrote down itself only what speaks against it counts, and its CPU time between the two measured outside.
    """
    values = (streams.get(worker.PRINTED, b""),)
    claimed_s, no_memory = 0.0, False
    for _, _, _, status, cpu_s, _ in records(process.records):
        claimed_s += cpu_s
        no_memory = no_memory or status == worker.NO_MEMORY
    cpu_s = process.cost(claimed_s)
    if process.why == worker.ENDED and process.status == 0:
        return Trace(worker.VALUE, cpu_s, values)
    if process.why == worker.ENDED and os.WIFEXITED(process.status):
        words = exit_words(process.status)
        note = last_words(streams.get(worker.COMPLAINED, b"").decode(errors="replace"), words)
        return Trace(worker.NO_MEMORY if no_memory else worker.RAISED, cpu_s, values, note.encode())
    state, words = process.reason(limits)
    given_s = limit_s if process.why == worker.CPU_LIMIT else 0.0
    return Trace(state, cpu_s, values, words.encode(), given_s)


_PLACE = re.compile(r'^ +File "<solution>", (line \d+(?:, in \S+)?)', re.MULTILINE)
_RAISED = re.compile(r"^Traceback .*\n(?:[ \t].*\n|\n)+(\S.*)", re.MULTILINE)
"""A traceback, and the line with the exception: what it says may go on over further lines."""
MOST_WORDS = 300
"""Characters of a line of standard error."""


def last_words(errors: str, ending: str) -> str:
    """What a program said on standard error before it ended.

    The exception of the last traceback with the line that raised it, else `ending` and the last line.
    """
    raised, places = _RAISED.findall(errors), _PLACE.findall(errors)
    if raised and places:
        return f"{raised[-1].strip()[:MOST_WORDS]} ({places[-1]})"
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return f"{ending}: {lines[-1][:MOST_WORDS]}" if lines else ending


def _lost(answer: Answer, limit_s: float) -> Trace:
    """Trace of a cell that took the process before its own with it, the one that compiles and imports."""
    if answer.lost:
        return Trace(LOST, 0.0, (), b"the worker was lost three times")
    if os.WIFEXITED(answer.status) and os.WEXITSTATUS(answer.status) == worker.TROUBLE:
        return Trace(LOST, 0.0, (), BROKEN.encode())
    if answer.why != worker.ENDED:
        return Trace(TIMEOUT, answer.cpu_s, (), WHY.get(answer.why, "limit").encode())
    return Trace(CRASH, answer.cpu_s, (), exit_words(answer.status).encode())


def run_alone(process: WorkerProcess, programs: Sequence[Program], limits: Limits) -> None:
    """Runs whatever has no trace yet with one process a cell."""
    missing = [
        (program, test) for program in programs for test in range(len(program.plans)) if test not in program.traces
    ]
    if missing:
        run_cells(process, missing, limits)


def unsure(
    program: Program, companions: Iterable[Program], limits: Limits, passed: Callable[[int, int], bool]
) -> list[int]:
    """Tests of a program whose time-out under a shorter limit is not final. `passed`: of a program's number and a test.

    It is final if the program is known to be endless (it used up the full limit on another test), and the test is known
    to be easy. A failed test says nothing here: the test may be wrong, and a slow program right.
    """
    stopped = {t: trace for t, trace in program.traces.items() if trace.state == TIMEOUT and trace.limit_s > 0.0}
    short = {test: trace for test, trace in stopped.items() if trace.limit_s < limits.cpu_s}
    if len(short) == len(stopped):
        return list(short)
    return [
        test
        for test, trace in short.items()
        if not _evident((other for other in companions if passed(other.number, test)), program, test, trace.limit_s)
    ]


def _evident(solvers: Iterable[Program], slow: Program, test: int, given_s: float) -> bool:
    """True if the test is easy: enough other programs passed it in a fraction of the time that this one was given.

    And this one never needed more than that for another test, as a cost that grows with the input would show. Programs
    that are merely wrong may be as quick as they like: that is no evidence of what a right one needs.
    """
    needed = [trace.cpu_s for trace in slow.traces.values() if trace.state in (worker.VALUE, worker.RAISED)]
    finished = [program.traces[test].cpu_s for program in solvers]
    return len(finished) >= EVIDENCE and max([*needed, *finished]) * MARGIN <= given_s


def distinct(sources: Iterable[str]) -> dict[str, list[int]]:
    """Places of each distinct program text, in order of first appearance."""
    places: dict[str, list[int]] = {}
    for place, source in enumerate(sources):
        places.setdefault(source, []).append(place)
    return places


_IMPORT = re.compile(r"^\s*(?:import|from)\s+(\w+)", re.MULTILINE)


def imported(source: str) -> set[str]:
    """Names of top-level modules the text seems to import."""
    return set(_IMPORT.findall(source))
