"""What runs in the forked children: a program is compiled and run on tests, and reports through shared pages."""

from __future__ import annotations

import ast
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
    IMPURE,
    LOADED,
    MODULE,
    NO_MEMORY,
    NO_TEST,
    OPAQUE,
    RAISED,
    TOO_LARGE,
    UNCOMPILED,
    UNRUNNABLE,
    VALUE,
    WALL_LIMIT,
)  # fmt: skip
from .harmless import binds_foreign, code_objects, imports, is_harmless, reachable
from .image import NotPlain, describe, encode
from .main import run_program
from .operations import PRISTINE, Session, global_of, is_plain_call
from .report import Report
from .runner import TEST_FILE, Outline, Runner, Unrunnable

SLEEPERS_SHARE = 5  # a program that was stopped asleep or blocked gets this fraction of the time on its other tests
Spawn = Callable[..., int]
"""`serve.Server.spawn`: runs a function in a process of its own and records what came of it for a program and a test;
says why it was killed."""


def compiled(source: str) -> types.CodeType | None:
    """Code object of a program, or None."""
    try:
        return compile(source, "<solution>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):  # the parser's own stack
        return None


def compiled_steps(test: list[tuple[str, str]]) -> list[tuple[str, Any]] | None:
    """Compiles a test, or None.

    Its steps: `("eval", expression)`, `("op", operation)`, `("whole", [text, entry point])`, `("stdin", input)`.
    """
    try:
        return [(mode, compiled_step(mode, source)) for mode, source in test]
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):  # the parser's own stack
        return None


def compiled_step(mode: str, source: Any) -> Any:
    """What is run: a code object, the bytes of an operation or input, or outline, code and entry point of a test."""
    if mode == "eval":
        return compile(source, TEST_FILE, "eval", dont_inherit=True)
    if mode in ("op", "stdin"):
        return source
    tree = ast.parse(source[0])
    return Outline(tree), compile(tree, TEST_FILE, "exec", dont_inherit=True), source[1]


def fits(steps: list[tuple[str, Any]] | None, test: list[tuple[str, str]], risky: frozenset[str]) -> bool:
    """True if a test, too, may run in a shared process; others are left to a process of their own."""
    for (mode, step), (_, source) in zip(steps or (), test):  # noqa: B905 - Python 3.8
        if mode in ("whole", "stdin") or (mode == "op" and not is_plain_call(step)):
            return False
        if mode == "eval" and (not is_harmless(step, source, risky) or binds_foreign(step, risky)):
            return False
    return True


def names(steps: list[tuple[str, Any]] | None) -> set[str]:
    """Every name that a test uses."""
    found: set[str] = set()
    for mode, step in steps or ():
        if mode == "eval":
            for code in code_objects(step):
                found.update(code.co_names)
        elif mode == "op":
            found.add(global_of(step))
    return found


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
    try:
        exec(module, namespace)  # noqa: S102 - what the sandbox is for
        if test[0][0] == "eval":
            values = [eval(step, namespace) for _, step in test]  # a comparison looks at both when both are there
            for slot, value in enumerate(values):
                report.put(program, index, slot, *said(report, value))
        else:
            session = Session(namespace)
            for slot, (mode, step) in enumerate(test):
                report.put(program, index, slot, *performed(report, session, mode, step))
    except MemoryError:
        report.put(program, index, slot, NO_MEMORY)
    except Unrunnable as error:
        report.put(program, index, slot, UNRUNNABLE, describe(error))
    except BaseException as error:
        report.put(program, index, slot, RAISED, describe(error))
    if shared:
        namespace.clear()  # breaks the cycle between the functions and their globals


def said(report: Report, value: Any) -> tuple[int, bytes]:
    """Status and data of a value."""
    try:
        data = encode(value)
    except NotPlain:
        return OPAQUE, b""
    return (VALUE, data) if len(data) <= report.output_bytes else (TOO_LARGE, b"")


def performed(report: Report, session: Session, mode: str, step: Any) -> tuple[int, bytes]:
    """Status and data of an operation, or of a whole test."""
    if mode == "whole":
        outline, code, entry_point = step
        session.namespace["__builtins__"] = dict(PRISTINE)
        sys.modules["__main__"] = sys.modules.get(MODULE, sys.modules["__main__"])
        Runner(session.namespace, entry_point).run(outline, code)
        return VALUE, marshal.dumps(None, 2)
    try:
        data = session.perform(step)
    except NotPlain:
        return OPAQUE, b""
    return (VALUE, data) if len(data) <= report.output_bytes else (TOO_LARGE, b"")


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
            report.where, report.room = (number, todo[0] if todo else 0), report.output_bytes
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
        found = None if short is None else compiled(short)
        if short is None or found is None or not is_harmless(found, short, risky):
            return report.put(number, 0, 0, IMPURE)
        module = found
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
        if test[0][0] == "stdin":
            body = functools.partial(run_program, report, place, program.module, namespace)
            why = spawn(place, body, cpu_s, wall_s, given=test[0][1])
        else:
            body = functools.partial(run_test, report, place, program.module, test, namespace)
            why = spawn(place, body, cpu_s, wall_s)
        if why != ENDED:
            cpu_s = later_s
        if why == WALL_LIMIT:
            wall_s /= SLEEPERS_SHARE
