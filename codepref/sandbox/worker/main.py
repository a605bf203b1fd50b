"""Runs a whole program as `python FILE` would: it reads standard input, prints, and ends with an exit status.

What counts of it is what its watcher sees: the bytes in the pipes, the exit status, the CPU time.
"""

# ruff: noqa: SIM115 - the streams stay open
from __future__ import annotations

import atexit
import builtins
import io
import os
import sys
import threading
import traceback
import types
from typing import Any

from . import DONE, MODULE, NO_MEMORY
from .report import Report

FAILED, UNFLUSHED = 1, 120
"""Exit statuses of the interpreter: after an exception, and where its last output could not be written."""


def run_program(report: Report, place: tuple[int, int], module: types.CodeType, namespace: dict[str, Any]) -> None:
    """Runs a program in a process of its own, and ends the process."""
    leave = os._exit
    report.where = place
    namespace["__name__"] = "__main__"
    sys.modules["__main__"] = sys.modules[MODULE]
    vars(builtins)["exit"] = vars(builtins)["quit"] = leave_program
    output = open_streams()
    status = 0
    try:
        exec(module, namespace)  # noqa: S102 - what the sandbox is for
    except MemoryError as error:
        report.put(*place, 0, NO_MEMORY)
        status = told(error)
    except BaseException as error:
        status = told(error)
    status = finished(namespace, output) or status
    report.put(*place, 0, DONE)  # with the CPU time so far, which is finer than what the watcher sees
    leave(status)


def leave_program(code: Any = None) -> None:
    """`exit` and `quit`, which the interpreter's site module makes."""
    raise SystemExit(code)


def open_streams() -> io.TextIOWrapper:
    """The standard streams as the interpreter opens them where none is a terminal; gives standard output."""
    # As in the interpreter, closing one of these files leaves its descriptor open.
    source = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)
    output = open(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)
    errors = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
    vars(sys).update(stdin=source, __stdin__=source, stdout=output, __stdout__=output)
    vars(sys).update(stderr=errors, __stderr__=errors)
    return output


def told(error: BaseException) -> int:
    """The exit status that an exception leads to, after it was said on standard error."""
    if isinstance(error, SystemExit):
        code = error.code
        if code is None or isinstance(code, int):
            return (code or 0) & 0xFF
        sys.stderr.write(f"{code}\n")
        return FAILED
    try:
        frames = error.__traceback__.tb_next if error.__traceback__ is not None else None  # the first is ours
        traceback.print_exception(type(error), error, frames)
        sys.stderr.flush()
    except BaseException:
        return FAILED
    return FAILED


def finished(namespace: dict[str, Any], output: io.TextIOWrapper) -> int:
    """What the interpreter does at its end: waits for threads, calls what was registered, writes what is left.

    Returns:
        0, or the exit status where that failed.
    """
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()  # type: ignore[attr-defined]
    except BaseException as error:
        told(error)
    try:
        if sys.stdout is not None and not sys.stdout.closed:
            sys.stdout.flush()
        namespace.clear()  # files that the program opened itself are written as they go
        if not output.closed:
            output.flush()
    except BaseException as error:
        told(error)
        return UNFLUSHED
    return 0
