"""Running programs on tests: which process runs what, under which limit, and what came back.

A `Program` is one distinct text of a job. Its `traces` hold what happened on each test: the values it returned as bytes,
or how it ended. Nothing is compared here; that is verdict.py.
"""

import marshal
import os
import re
import signal
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from codepref.sandbox import worker
from codepref.sandbox.base import Limits
from codepref.sandbox.plan import Plan
from codepref.sandbox.process import Answer, Unit, WorkerProcess

TIMEOUT, CRASH, LOST = 100, 101, 102
"""States of a trace besides the statuses of the worker's last record."""
EVIDENCE, MARGIN = 3, 10
"""A shorter limit is final if so many other programs finished the test within that fraction of it."""
_UNFINISHED = frozenset((TIMEOUT, CRASH, LOST, worker.NO_MEMORY, worker.TOO_LARGE))


class Trace(NamedTuple):
    """One program on one test. `values` are the returned values, None for one that is not plain data."""

    state: int
    cpu_s: float = 0.0
    values: tuple[bytes | None, ...] = ()
    note: bytes = b""
    """Type and message of an exception, or truth (T, F, E) and type name of a value that is not plain data."""


@dataclass
class Program:
    """One distinct program of a job, and what happened to it so far."""

    number: int
    source: str
    plans: Sequence[Plan]
    official: bool = False
    code: bytes | None = None
    """Marshalled by the child that compiled it."""
    traces: dict[int, Trace] = field(default_factory=dict)
    again: bool = False
    """Must run with one process a test: it may keep state, or it ended a shared process."""

    def tests(self) -> list[tuple[str, list[str]]]:
        """What the child evaluates, in the worker's form."""
        return [
            ("exec", [source]) if kind in ("official", "broken") else ("eval", calls)
            for kind, calls, source, _ in self.plans
        ]


def shared_unit(programs: Sequence[Program], todo: dict[int, list[int]], limits: Limits) -> Unit:
    """One process for programs of one or several jobs."""
    jobs: list[tuple[list[tuple[str, list[str]]], list[tuple[int, str, list[int]]]]] = []
    last: Sequence[Plan] | None = None
    for program in programs:
        if program.plans is not last:
            jobs.append((program.tests(), []))
            last = program.plans
        jobs[-1][1].append((program.number, program.source, todo[program.number]))
    cells = sum(len(todo[program.number]) + 2 for program in programs) * 4
    screen = limits.cpu_s if limits.screen_s is None else min(limits.screen_s / worker.HUNG_SHARE, limits.cpu_s)
    payload = marshal.dumps((worker.SHARED, jobs), 2)
    return Unit(payload, screen, screen, limits.wall_s, cells)


def cell_unit(program: Program, test: int, limits: Limits, cpu_s: float) -> Unit:
    """One process for one program and one test."""
    source: str | bytes = program.source if program.code is None else program.code
    job = (program.tests()[test : test + 1], [(program.number, source, [0])])
    payload = marshal.dumps((worker.FRESH, [job]), 2)
    return Unit(payload, limits.load_s + cpu_s, cpu_s, limits.wall_s, len(program.plans[test][1]) + 4, program.number)


def records(data: bytes) -> Iterator[tuple[int, int, int, int, float, bytes]]:
    """Program, test, slot, status, CPU seconds and data of every complete record."""
    at, size, unpack = 0, worker.RECORD.size, worker.RECORD.unpack_from
    while at + size <= len(data):
        program, test, slot, status, length, cpu_s = unpack(data, at)
        at += size
        if at + length > len(data):
            return
        yield program, test, slot, status, cpu_s, data[at : at + length]
        at += length


def absorb(program: Program, test: int, record: tuple[int, int, int, int, float, bytes]) -> None:
    """Adds one record to the trace of a cell. A forged record can only be a wrong value."""
    _, _, slot, status, cpu_s, data = record
    partial = program.traces.get(test)
    values: tuple[bytes | None, ...] = ()
    note = b""
    if partial is not None:
        if partial.state != CRASH or len(partial.values) != slot:
            return
        values, cpu_s, note = partial.values, partial.cpu_s + cpu_s, partial.note
    elif slot:
        return
    if status in (worker.VALUE, worker.OPAQUE):
        values = (*values, data if status == worker.VALUE else None)
        note = note if status == worker.VALUE else data
        done = len(values) >= max(1, len(program.plans[test][1]))
        program.traces[test] = Trace(worker.VALUE if done else CRASH, cpu_s, values, note)
    elif status in (worker.RAISED, worker.NO_MEMORY, worker.TOO_LARGE, worker.NO_TEST, worker.UNCOMPILED):
        program.traces[test] = Trace(status, cpu_s, values, data if status == worker.RAISED else note)


def run_shared(process: WorkerProcess, programs: Sequence[Program], limits: Limits) -> None:
    """Runs all tests of harmless programs in as few processes as possible.

    What is not harmless, or ended the process, is left with `again` set and without the traces in question.
    """
    todo = {program.number: list(range(len(program.plans))) for program in programs}
    left = [program for program in programs if program.plans]
    while left:
        (answer,) = process.ask([shared_unit(left, todo, limits)])
        by_number = {program.number: program for program in left}
        settled = 0
        for record in records(answer.records):
            program = by_number.get(record[0])
            if program is None:
                continue
            status = record[3]
            if status == worker.IMPURE:
                program.code, program.again = record[5], True
                settled += 1
            elif status == worker.UNCOMPILED:
                program.traces = {test: Trace(worker.UNCOMPILED) for test in todo[program.number]}
                settled += 1
            elif status == worker.DONE:
                settled += 1
            elif status != worker.LOADED and record[1] in todo[program.number]:
                absorb(program, record[1], record)
        culprits = left[settled : settled + 1]
        for program in culprits if settled < len(left) else []:
            _leave(program, answer)
        left = left[settled + 1 :]
        for program in programs:
            _drop_unfinal(program)


def _leave(program: Program, answer: Answer) -> None:
    """The first program without a final record ended the process."""
    program.again = True


def _drop_unfinal(program: Program) -> None:
    """Nothing that may have been caused by a neighbour is final."""
    unfinal = [test for test, trace in program.traces.items() if trace.state in _UNFINISHED]
    for test in unfinal:
        del program.traces[test]
        program.again = True


def run_cells(
    process: WorkerProcess, cells: Sequence[tuple[Program, int]], limits: Limits, cpu_s: float
) -> list[float]:
    """Runs every cell in its own process. Returns the CPU limit each cell was given."""
    units = [cell_unit(program, test, limits, cpu_s) for program, test in cells]
    given, hung = [], set()
    for (program, test), answer in zip(cells, process.ask(units), strict=True):
        program.traces.pop(test, None)
        for record in records(answer.records):
            if record[0] == program.number and record[1] == 0 and record[3] not in (worker.LOADED, worker.DONE):
                absorb(program, test, record)
        given.append(cpu_s / worker.HUNG_SHARE if program.number in hung else cpu_s)
        trace = program.traces.get(test)
        if trace is None or trace.state == CRASH:
            program.traces[test] = _ended(answer, trace or Trace(CRASH))
        if answer.why != worker.ENDED:
            hung.add(program.number)
    return given


def _ended(answer: Answer, partial: Trace) -> Trace:
    """Trace of a cell whose process ended before the test did."""
    if answer.lost:
        return Trace(LOST, note=b"the worker was lost three times")
    if answer.why != worker.ENDED:
        what = {worker.CPU_LIMIT: b"CPU limit", worker.WALL_LIMIT: b"wall limit", worker.LOAD_LIMIT: b"load limit"}
        return Trace(TIMEOUT, answer.cpu_s, partial.values, what[answer.why])
    if os.WIFSIGNALED(answer.status):
        number = os.WTERMSIG(answer.status)
        name = signal.Signals(number).name if number in iter(signal.Signals) else f"signal {number}"
        return Trace(CRASH, answer.cpu_s, partial.values, name.encode())
    return Trace(
        CRASH, answer.cpu_s, partial.values, f"exit status {os.waitstatus_to_exitcode(answer.status)}".encode()
    )


def run_alone(process: WorkerProcess, programs: Sequence[Program], limits: Limits) -> None:
    """Runs whatever has no trace yet with one process a cell, under the screening policy of `Limits.screen_s`."""
    cells = [(p, test) for p in programs for test in range(len(p.plans)) if test not in p.traces]
    if not cells:
        return
    screen = limits.cpu_s if limits.screen_s is None else min(limits.screen_s, limits.cpu_s)
    given = run_cells(process, cells, limits, screen)
    unsure = [
        (program, test)
        for (program, test), cpu_s in zip(cells, given, strict=True)
        if program.traces[test].state == TIMEOUT
        and cpu_s < limits.cpu_s
        and not _evident(programs, program, test, cpu_s)
    ]
    for program, test in unsure:  # one request each: none may shorten the time of the next
        run_cells(process, [(program, test)], limits, limits.cpu_s)


def _evident(programs: Iterable[Program], slow: Program, test: int, given_s: float) -> bool:
    """True if enough other programs of the job finished the test in a fraction of the time this one was given."""
    finished = 0
    for program in programs:
        trace = program.traces.get(test)
        if program is slow or program.plans is not slow.plans or trace is None:
            continue
        if trace.state in (worker.VALUE, worker.RAISED):
            if trace.cpu_s * MARGIN > given_s:
                return False
            finished += 1
    return finished >= EVIDENCE


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
