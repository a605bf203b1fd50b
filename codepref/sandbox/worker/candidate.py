"""What runs in the forked children: a program is compiled and run on tests, and reports through shared pages."""

from __future__ import annotations

import builtins
import functools
import gc
import marshal
import sys
import time
import types
from typing import Any, Callable, NamedTuple  # noqa: UP035 - Python 3.8

from . import (
    CELLS,
    DONE,
    ENDED,
    ENDING,
    IMPURE,
    KILLED,
    LOADED,
    MODULE,
    NO_MEMORY,
    NO_TEST,
    OPAQUE,
    RAISED,
    REVISED,
    TOO_LARGE,
    UNCOMPILED,
    VALUE,
    WALL_LIMIT,
)  # fmt: skip
from .harmless import binds_foreign, code_objects, imports, is_harmless, reachable
from .image import NotPlain, describe, encode, truth
from .report import Report

SLEEPERS_SHARE = 5  # a program that was stopped asleep or blocked gets this fraction of the time on its other tests
Spawn = Callable[[Callable[[], None], float, float], "tuple[int, int, float]"]
"""Runs a function in a forked child under limits (CPU, wall seconds): wait status, why it was killed, CPU seconds."""


def compiled(source: str) -> types.CodeType | None:
    """Code object of a program, or None."""
    try:
        return compile(source, "<solution>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError):
        return None


def compiled_steps(test: list[tuple[str, str]]) -> list[tuple[str, Any]] | None:
    """Compiles a test: steps `("exec", statements)`, `("eval", expression)` or `("check", "")`; None if it does not."""
    try:
        return [
            (mode, None if mode == "check" else compile(source, "<test>", mode, dont_inherit=True))
            for mode, source in test
        ]
    except (SyntaxError, ValueError, OverflowError, RecursionError):
        return None


def fits(steps: list[tuple[str, Any]] | None, test: list[tuple[str, str]], risky: frozenset[str]) -> bool:
    """True if a test, too, may run in a shared process; others are left to a process of their own."""
    pairs = [(code, source) for (_, code), (_, source) in zip(steps or (), test) if code]  # noqa: B905 - Python 3.8
    return all(is_harmless(code, source, risky) and not binds_foreign(code, risky) for code, source in pairs)


def names(steps: list[tuple[str, Any]] | None) -> set[str]:
    """Every name that a test uses."""
    return {name for _, step in steps or () if step for code in code_objects(step) for name in code.co_names}


def preload_imports(module: types.CodeType) -> None:
    """Imports what the program will import, so that loading a library is done once and charged to no test."""
    for code in code_objects(module):
        for name in imports(code):
            if name and name not in sys.modules:
                try:
                    __import__(name)
                except BaseException:
                    return  # the program will most likely end here, too


def own_namespace() -> dict[str, Any]:
    """Of a module that dataclasses, enum and pickle can look up by name; for one run in a process of its own."""
    sys.modules[MODULE] = types.ModuleType(MODULE)
    namespace = sys.modules[MODULE].__dict__
    namespace["__builtins__"] = builtins
    return namespace


def run_test(
    report: Report, place: tuple[int, int], module: types.CodeType, test: Any, own: dict[str, Any] | None = None
) -> None:
    """One cell: the module in a fresh namespace (`own`, or one for a shared process), then the steps of the test.

    Writes one record for each value.
    """
    program, index = report.where = place
    report.room = report.output_bytes
    shared = own is None
    namespace = {"__name__": MODULE, "__builtins__": builtins} if own is None else own
    slot = 0
    held: list[tuple[Any, bytes]] = []
    try:
        exec(module, namespace)  # noqa: S102 - what the sandbox is for
        for mode, step in test:
            if mode == "check":
                revise(report, place, slot, held, shared)
                held = []
                continue
            value = eval(step, namespace)
            if mode == "exec" and len(test) > 1:
                continue
            status, data = written(report, value, shared)
            report.put(program, index, slot, status, data)
            held.append((value, data))
            slot += 1
    except MemoryError:
        value = None
        held.clear()
        report.put(program, index, slot, NO_MEMORY)
    except BaseException as error:
        report.put(program, index, slot, RAISED, describe(error))
    value = None
    held.clear()
    if shared:
        namespace.clear()  # breaks the cycle between the functions and their globals


def written(report: Report, value: Any, shared: bool) -> tuple[int, bytes]:
    """Status and data of a value."""
    try:
        data = encode(value, shared)
    except NotPlain:
        return OPAQUE, truth(value) + type.__dict__["__name__"].__get__(type(value)).encode()[:100]
    return (VALUE, data) if len(data) <= report.output_bytes else (TOO_LARGE, b"")


def revise(report: Report, place: tuple[int, int], end: int, held: list[tuple[Any, bytes]], shared: bool) -> None:
    """Reports the values of an assert that changed while its other values were computed."""
    for slot, (value, before) in enumerate(held, end - len(held)):
        if type(value) in (list, dict, set, bytearray):
            status, data = written(report, value, shared)
            if status == VALUE and data != before:
                report.put(*place, slot, REVISED, data)


class Loaded(NamedTuple):
    """A compiled program and the tests to run it on, each compiled or None."""

    number: int
    source: str
    module: types.CodeType
    cells: list[tuple[int, Any]]


def run(report: Report, payload: bytes, risky: frozenset[str], spawn: Spawn) -> None:
    """Body of a child.

    Payload: `(how, limits, jobs)`; limits, for processes of a test: CPU seconds, CPU seconds after a first time-out,
    wall seconds; job: `(tests, programs)`; program: `(number, source, places of its tests)`.
    """
    how, limits, jobs = marshal.loads(payload)
    report.clock = time.process_time()
    for sources, programs in jobs:
        tests = [compiled_steps(test) for test in sources]
        fit = [how == CELLS or fits(steps, test, risky) for steps, test in zip(tests, sources)]  # noqa: B905
        for number, source, todo in programs:
            report.where, report.room = (number, todo[0]), report.output_bytes
            module = compiled(source)
            if module is None:
                report.put(number, 0, 0, UNCOMPILED)
                continue
            cells = [(index, tests[index]) for index in todo if fit[index]]
            if how != CELLS and binds_foreign(module, risky):
                cells = [(index, steps) for index, steps in cells if names(steps).isdisjoint(risky)]
            program = Loaded(number, source, module, cells)
            if how == CELLS:
                run_cells(report, program, spawn, limits)
            else:
                run_shared(report, program, risky)


def run_shared(report: Report, program: Loaded, risky: frozenset[str]) -> None:
    """All tests of a harmless program in this process; any other program is only reported."""
    number, source, module, cells = program
    if not is_harmless(module, source, risky):
        short = reachable(source) if "import" in source else None
        if short is None or not is_harmless(short, source, risky):
            return report.put(number, 0, 0, IMPURE)
        module = short
    report.put(number, 0, 0, LOADED)
    for index, test in cells:
        if test is None:
            report.put(number, index, 0, NO_TEST)
        else:
            run_test(report, (number, index), module, test)
    return report.put(number, 0, 0, DONE)


def run_cells(report: Report, program: Loaded, spawn: Spawn, limits: tuple[float, float, float]) -> None:
    """Every test in a forked child of its own. This process compiles and imports, but never runs the program."""
    preload_imports(program.module)
    gc.freeze()
    report.put(program.number, 0, 0, LOADED)
    namespace = own_namespace()  # every child gets a copy of its own
    cpu_s, later_s, wall_s = limits
    for index, test in program.cells:
        if test is None:
            report.put(program.number, index, 0, NO_TEST)
            continue
        place = program.number, index
        body = functools.partial(run_test, report, place, program.module, test, namespace)
        status, why, cpu = spawn(body, cpu_s, wall_s)
        report.resume()
        if status or why:
            report.put(program.number, index, 0, KILLED, ENDING.pack(status, why, cpu))
        if why != ENDED:
            cpu_s = later_s
        if why == WALL_LIMIT:
            wall_s /= SLEEPERS_SHARE
