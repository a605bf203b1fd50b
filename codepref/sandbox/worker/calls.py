"""One function called on many inputs, in one forked child for each group of inputs; returns plain data.

The child holds inputs and never an expected value. A request is `(source, entry point, CPU seconds a call, wall seconds
a call, CPU seconds a group, groups, whole, filter)`, a group the marshalled list of argument lists and its length.
Records carry the number of the group as `program` and of the input as `test`. Of a large value only a digest is sent,
unless `whole` is asked for. With a seccomp filter, one that allows no further process, all groups run in this one
child, each in a fresh module and up to its CPU seconds: a first, cheap look, which tells nothing about what it did not
finish.
"""

from __future__ import annotations

import builtins
import functools
import gc
import hashlib
import itertools
import marshal
import math
import sys
import types
from typing import Any, Iterable  # noqa: UP035 - Python 3.8

from . import DONE, LOADED, MODULE, NO_MEMORY, OPAQUE, RAISED, TOO_LARGE, UNCOMPILED, VALUE, lock, serve
from .candidate import Spawn, compiled, preload_imports
from .image import SCALARS, NotPlain, describe, encode
from .report import Report

LARGE = 1 << 15
"""Bytes from which on a digest is sent."""
DIGEST = b"#"
"""What a digest begins with, and no value."""
PIECE = 4096
"""Items of a list that are written at once."""
MAX_NODES = 1 << 28


def run(report: Report, payload: bytes, spawn: Spawn) -> None:
    """Body of a child, which compiles and imports but never runs the program: that is left to children of its own."""
    source, entry_point, cpu_s, wall_s, group_s, groups, whole, lonely = marshal.loads(payload)
    module = compiled(source)
    if module is None:
        report.put(0, 0, 0, UNCOMPILED)
        return
    preload_imports(module)
    report.put(0, 0, 0, LOADED)
    if lonely is not None:
        lock.install_filter(lonely)
        for number, (inputs, _) in enumerate(groups):
            call_all(report, number, module, entry_point, inputs, group_s, whole, group_s)
        return
    for number, (inputs, count) in enumerate(groups):
        body = functools.partial(call_all, report, number, module, entry_point, inputs, group_s, whole)
        spawn((number, 0), body, cpu_s, wall_s, count + 1, group_s)


def call_all(
    report: Report, number: int, module: types.CodeType, entry_point: str, inputs: bytes, group_s: float, whole: bool,
    enough_s: float = math.inf,
) -> None:  # fmt: skip
    """Calls the function on every input of a group until it raises or has used `enough_s`, one record a call."""
    lock.limit("CPU", int(group_s) + 1)
    calls = marshal.loads(inputs)
    gc.freeze()
    gc.set_threshold(10_000, 20, 100)
    sys.modules[MODULE] = types.ModuleType(MODULE)
    namespace: dict[str, Any] = sys.modules[MODULE].__dict__
    namespace["__builtins__"] = builtins
    index = 0
    report.where, end = (number, 0), report.clock + enough_s
    try:
        exec(module, namespace)  # noqa: S102 - what the sandbox is for
        function = namespace[entry_point]
        for index, arguments in enumerate(calls):
            report.where, report.room = (number, index), report.output_bytes
            value = function(*arguments)
            status, data = image(report, value) if whole else short_image(report, value)
            value = None
            report.put(number, index, 0, status, data)
            if status == TOO_LARGE or report.clock > end:
                return
        report.put(number, len(calls), 0, DONE)
    except MemoryError:
        report.put(number, index, 0, NO_MEMORY)
    except BaseException as error:
        report.put(number, index, 0, RAISED, describe(error))


def image(report: Report, value: Any) -> tuple[int, bytes]:
    """Status and data of a value; large plain data is written without a copy."""
    if is_exact(value):
        try:
            data = marshal.dumps(value, 2)
        except ValueError:  # nested too deeply
            return written(report, value)
        return (VALUE, data) if len(data) <= report.output_bytes else (TOO_LARGE, b"")
    return written(report, value)


def written(report: Report, value: Any) -> tuple[int, bytes]:
    """Status and data of a value that is no exact plain data."""
    try:
        data = encode(value)
    except NotPlain:
        return OPAQUE, b""
    return (VALUE, data) if len(data) <= report.output_bytes else (TOO_LARGE, b"")


def short_image(report: Report, value: Any) -> tuple[int, bytes]:
    """Like `image`, with a digest for a large value: who does not know the value does not know its digest.

    A long list is written piece by piece, as its bytes may not fit into memory.
    """
    if type(value) in SCALARS:
        data = marshal.dumps(value, 2)
        if len(data) < LARGE:
            return VALUE, data
    if type(value) in (list, tuple) and len(value) > PIECE and is_exact(value):
        hashed = hashlib.sha256(type(value).__name__.encode())
        try:
            for start in range(0, len(value), PIECE):
                hashed.update(marshal.dumps(value[start : start + PIECE], 2))
        except ValueError:  # nested too deeply
            return written(report, value)
        return VALUE, DIGEST + hashed.digest()
    status, data = image(report, value)
    return status, data if len(data) < LARGE else DIGEST + hashlib.sha256(data).digest()


def is_exact(value: Any) -> bool:
    """True if `value` is made of exact builtin types only, looked at level by level."""
    todo, seen = [value], 0
    while todo:
        item = todo.pop()
        kind = type(item)
        if kind in SCALARS:
            continue
        if kind is dict:
            items: Iterable[Any] = itertools.chain(item.keys(), item.values())
            kinds = set(map(type, item.keys())) | set(map(type, item.values()))
        elif kind in (list, tuple, set, frozenset):
            items, kinds = item, set(map(type, item))
        else:
            return False
        seen += len(item)
        if seen > MAX_NODES:
            return False
        if not kinds <= SCALARS:
            todo.extend(items)
    return True


def candidates() -> serve.Handler:
    """Handler of the worker that calls functions."""
    serve.candidates()  # forgets the names of the worker's own modules
    return run
