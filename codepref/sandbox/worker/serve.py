"""The fork server: imports libraries once, locks itself down, forks and answers.

Messages: 4 bytes of length, then marshal version 2. First message: a `dict` of settings. Every further request is a
list of units `(payload, load_s, cpu_s, wall_s, records)`; the answer to each is a header `ANSWER` and the records.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the wrappers in signal make enums, which costs page faults
import gc
import importlib
import marshal
import math
import os
import re
import select
import signal
import struct
import sys
import time
import types
from typing import Any, Callable, Iterable  # noqa: UP035 - Python 3.8

from . import (
    ANSWER,
    ANSWERS,
    COMPLAINED,
    CPU_LIMIT,
    ENDED,
    HEAD,
    HELD,
    LOAD_LIMIT,
    NOT_STARTED,
    OUT_OF_MEMORY,
    OUTPUT_LIMIT,
    PRINTED,
    REQUESTS,
    TROUBLE,
)
from .audited import SAFE_MODULES
from .candidate import run
from .harmless import risky_names
from .lock import LINUX, adopt_orphans, close_in, install_filter, lock_down, tie
from .report import Report, Sink, empty, used
from .streams import Streams, empty_input, no_output
from .watch import (
    CHILD_ENDED,
    Allowance,
    empty_process,
    end_others,
    fork,
    watch,
    wipe,
)

PRELOADED = (*SAFE_MODULES, "copy", "decimal", "enum", "dataclasses", "abc", "contextlib", "numbers", "io", "warnings",
             "encodings.latin_1", "random", "time", "traceback")  # fmt: skip
LAZY = ("_strptime", "asyncio", "concurrent.futures.thread", "encodings.ascii", "encodings.cp1252", "encodings.idna",
        "encodings.utf_16", "encodings.utf_8_sig", "doctest", "linecache", "locale", "pdb", "tokenize",
        "unittest.mock")  # fmt: skip
"""What the standard library imports when it is first needed, too late where no file can be opened any more."""
IMPORTED = re.compile(rb"(?:import|from)[ ]+([A-Za-z][\w.]*)")
"""Modules that a text seems to import, in vain where they are none."""
CHILDRENS_CPU_S = 0.05
"""What a candidate and its children may be over their limit together before it counts: the cost of their start."""

START_FACTOR = 1.5
"""What the start and the end of a process may cost at most, over the cost of one that does nothing."""

WITH_THREADS = re.compile(rb"\b(_thread|threading|asyncio|concurrent|multiprocessing|joblib)\b")
"""A program whose text has one of these words may start threads in the function profile, too."""

Handler = Callable[..., None]
"""Body of a child: gets the report, the payload and `Server.spawn`."""


def read(size: int) -> bytes:
    """Exactly `size` bytes of the request pipe; ends the process when the supervisor is gone."""
    parts = []
    while size:
        part = os.read(REQUESTS, min(size, 1 << 20))
        if not part:
            os._exit(0)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def message() -> Any:
    """One request."""
    return marshal.loads(read(struct.unpack("<I", read(4))[0]))


def write(data: bytes | memoryview) -> None:
    """All of `data` to the answer pipe."""
    done = 0
    with memoryview(data) as view:
        while done < len(view):
            with view[done:] as rest:
                done += os.write(ANSWERS, rest)


class Server:
    """Answers requests until the supervisor closes the pipe."""

    def __init__(self, settings: dict[str, Any], report: Report, sink: Sink, handler: Handler) -> None:
        self.settings, self.report, self.sink, self.handler = settings, report, sink, handler
        self.lonely, self.writable = settings["lonely"], settings["writable"]
        self.childless = settings["childless"]
        self.threads = False
        self.streams = Streams(settings["output_bytes"])
        self.start_s = START_FACTOR * max(empty_process() for _ in range(3))
        self.poll = select.poll()
        self.poll.register(REQUESTS, 0)

    def serve(self) -> None:
        """Never returns."""
        while True:
            for payload, load_s, cpu_s, wall_s, records in message():
                self.answer(payload, Allowance(load_s, cpu_s, wall_s, records, math.inf, math.inf))

    def answer(self, payload: bytes, allowed: Allowance) -> None:
        """Runs one unit in a child, sends its records, and leaves nothing of it.

        They are never copied into the memory of this process, which every later child could read.
        """
        pages = self.report.outer
        self.report.use(pages)
        pid = fork()
        if pid == 0:
            self.be_child(payload)
        status, why, cpu_s = watch(pid, allowed, lambda: used(pages), lambda: self.hung_up(pid))
        if not self.lonely:
            end_others()
        wipe(self.writable)
        end = used(pages)
        write(ANSWER.pack(status, why, cpu_s, end - HEAD.size))
        with memoryview(pages) as whole, whole[HEAD.size : end] as written:
            write(written)
        empty(pages)
        empty(self.report.inner)

    def hung_up(self, pid: int) -> int:
        """Ends this process and its child when the supervisor is gone."""
        if self.poll.poll(0):
            os.kill(pid, signal.SIGKILL)
            os._exit(0)
        return ENDED

    def be_child(self, payload: bytes) -> None:
        """Runs the handler in a forked child, which has no open file in common with this process."""
        try:
            scope = self.settings["scope"]
            os.closerange(3, scope if scope >= 0 else HELD)
            os.closerange(max(scope + 1, 3), HELD)
            empty_input()
            no_output()
            adopt_orphans()
            if self.settings["no_files"]:
                preload(sorted({name.decode() for name in IMPORTED.findall(payload)}))
            if self.lonely:
                tie()
                install_filter(self.settings["closed_filter"] if self.settings["closed"] else b"")
            self.threads = WITH_THREADS.search(payload) is not None
            self.handler(self.report, payload, self.spawn)
        except BaseException:
            os._exit(TROUBLE)
        finally:
            os._exit(0)

    def spawn(
        self, place: tuple[int, int], body: Callable[[], None], cpu_s: float, wall_s: float, renewals: int = 0,
        total_s: float | None = None, given: bytes | None = None,
    ) -> int:  # fmt: skip
        """Runs `body`, which runs a candidate, in a grandchild of the server: why it was killed, if it was.

        Appends a `CELL` record for `place`, program and test, with whatever `body` recorded. Each of the first
        `renewals` records of `body` starts the limits anew, up to `total_s` CPU seconds (`cpu_s` if None). Where an
        input is `given`, a `PRINTED` and a `COMPLAINED` record come first: what was written to the standard streams.
        """
        report, total = self.report, cpu_s if total_s is None else total_s
        try:
            self.streams.renew(given)
            pid = fork()
        except OSError:
            self.streams.close()
            report.seal(*place, 0, NOT_STARTED, (0.0, 0.0))
            return NOT_STARTED
        if pid == 0:
            self.be_candidate(body, total)
        allowed = Allowance(cpu_s, cpu_s, wall_s, renewals, total, wall_s * (1 + renewals))
        status, why, used_s = watch(pid, allowed, lambda: used(report.inner), self.streams.check)
        if not (self.lonely or self.childless):
            used_s += end_others()
            if why == ENDED and used_s > total + CHILDRENS_CPU_S:
                why = CPU_LIMIT
        printed = self.streams.finish()
        if why == ENDED and printed == OUTPUT_LIMIT:
            why = OUTPUT_LIMIT
        why = CPU_LIMIT if why == LOAD_LIMIT else why
        if self.writable:
            wipe(self.writable)
        if given is not None:
            report.put(*place, 0, PRINTED, bytes(self.streams.output))
            report.put(*place, 0, COMPLAINED, bytes(self.streams.errors))
        report.seal(*place, status, why, (max(0.0, used_s - self.start_s), used_s))
        return why

    def be_candidate(self, body: Callable[[], None], total_s: float) -> None:
        """A process of a candidate, which can reach neither the records of others nor any process but its own."""
        try:
            if LINUX:
                _signal.pthread_sigmask(_signal.SIG_UNBLOCK, CHILD_ENDED)
            self.streams.close()
            close_in(self.settings, total_s, self.threads)
            self.sink.go_inside()
            self.report.go_inside()
            self.report.clock = time.process_time()
            body()
        except MemoryError:  # while it reported another one
            os._exit(OUT_OF_MEMORY)
        finally:
            os._exit(0)


def preload(names: Iterable[str]) -> None:
    """Imports libraries once, for all children. One that is missing or broken is left to the candidate to find out."""
    for name in names:
        try:
            importlib.import_module(name)
        except Exception:
            continue


def main(make_handler: Callable[[], Handler], modules: Iterable[str] = PRELOADED, *, closed: bool = False) -> None:
    """Reads the settings, imports `modules`, locks down, says which layers are in force, serves.

    `closed`: the children of the server run untrusted text themselves and start no process for it.
    """
    settings = message()
    settings["closed"] = closed
    namespaces = [layer for layer in sys.argv[-1].split(",") if layer]
    sys.path[:], sys.argv[:] = settings["path"], [""]
    register, os.register_at_fork = os.register_at_fork, lambda **_: None
    preload(modules)  # above all `random`, which would seed itself anew after every fork
    os.register_at_fork = register
    if settings["no_files"]:
        preload(("tempfile", *LAZY))
        # A library may make itself a folder while it is imported.
        vars(sys.modules["tempfile"])["tempdir"] = "/nonexistent"
    preload(settings["preload"])
    report = Report(settings["pages"], settings["output_bytes"])
    handler = make_handler()
    if "random" in sys.modules:  # children inherit one state, so that an unseeded program does the same in every run
        sys.modules["random"].seed(0)
    if "numpy" in settings["preload"] and "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if LINUX:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    layers = namespaces + lock_down(settings)
    # Beside this process, its child and the candidate there is no room for another one.
    settings["childless"] = "process-limit" in layers and not settings["library"]
    sink = Sink(report)
    sys.stdout = sys.__stdout__ = sys.stderr = sys.__stderr__ = sink  # type: ignore[assignment, misc]
    ready = marshal.dumps(layers, 2)
    write(struct.pack("<I", len(ready)) + ready)
    gc.collect()
    gc.freeze()
    Server(settings, report, sink, handler).serve()


def candidates() -> Handler:
    """Handler of the candidates' worker; forgets the names of its own modules."""
    risky = risky_names()
    package = __name__.partition(".")[0]
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]
    sys.modules["__main__"] = types.ModuleType("__main__")
    return lambda report, payload, spawn: run(report, payload, risky, spawn)
