"""One running worker process: start it at the best isolation level the machine allows, ask it, end it."""

import contextlib
import json
import marshal
import os
import secrets
import select
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codepref.sandbox import seccomp
from codepref.sandbox.base import Limits, SandboxUnavailable
from codepref.sandbox.interpreter import Interpreter
from codepref.sandbox.places import Places, open_to_others, places
from codepref.sandbox.worker import ANSWER, ENDED
from codepref.sandbox.worker.report import SPARE

START_S = 60.0
"""Longest start, with heavy libraries on a busy machine."""
GRACE_S = 30.0
"""What a worker may be late beyond the limits it enforces itself before it counts as lost."""
SCRATCH_MB = 64
"""Room for files of a candidate in the library profile."""
_ENVIRONMENT = {
    "PYTHONHASHSEED": "0", "LANG": "C.UTF-8", "TZ": "UTC", "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "MPLBACKEND": "Agg", "LD_BIND_NOW": "1",
}  # fmt: skip
_PROGRAMS = ("/usr/bin", "/bin")
_PYTHON = "/python/bin"
"""Where child processes find the interpreter by its plain name."""


_lifeline = -1


def end_with(fd: int) -> None:
    """From now on this process ends at once when `fd` hangs up while it waits for a worker (processes of a pool)."""
    global _lifeline  # noqa: PLW0603 - one per process by nature
    _lifeline = fd


@dataclass(frozen=True)
class Unit:
    """One forked child: what it gets and its limits per record (CPU seconds, wall seconds)."""

    payload: bytes
    load_s: float
    cpu_s: float
    wall_s: float
    cells: int


@dataclass(frozen=True)
class Answer:
    """How the child ended, and the records it left. `lost`: the worker itself died, nothing is known."""

    status: int
    why: int
    cpu_s: float
    records: bytes
    lost: bool = False

    @property
    def complete(self) -> bool:
        """True if the child ran to its end."""
        return self.status == 0 and self.why == ENDED and not self.lost


@dataclass(frozen=True)
class Setup:
    """Everything a worker process is started with."""

    arguments: tuple[str, ...]
    """Of the interpreter: the script and its options."""
    interpreter: Interpreter
    limits: Limits
    library: bool = False
    preload: tuple[str, ...] = ()
    unisolated: bool = False
    proc: bool = False
    """Show /proc of the sandbox's own PID namespace (new root only)."""

    def writable(self, level: str) -> list[str]:
        """Folders a candidate may write to: private ones inside the sandbox, else one that isolation.py makes."""
        if not self.library:
            return []
        if level == "namespaces":
            return ["/box", "/tmp", "/dev/shm"]
        folder = f"codepref-{secrets.token_hex(8)}"
        paths = [f"{place}/{folder}" for place in (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm")]
        if os.geteuid() == 0:  # the worker is another user, who may not enter a folder that is root's alone
            paths = [path for path in paths if open_to_others(path)] or paths
        return paths[:1]


def _wait(fd: int, patience_s: float) -> bool:
    """True when there is something to read."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    if _lifeline >= 0:
        poll.register(_lifeline, 0)
    ready = dict(poll.poll(max(0.0, patience_s) * 1000))
    if _lifeline in ready:
        os._exit(1)
    return fd in ready


class WorkerProcess:
    """Owner of one worker, which starts at once; `ready` waits for it. `layers` are those the worker reported."""

    LEVELS = ("namespaces", "landlock", "seccomp", "none")
    """Ways to keep files out of reach, the best first; `seccomp`: no file can be named, for programs that need none."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._level = ""
        self._process: subprocess.Popen[bytes] | None = None
        self.layers: tuple[str, ...] = ()
        self._levels = [level for level in self.LEVELS if level != "seccomp" or not setup.library]
        self._launch(self._levels[0])

    def ready(self) -> None:
        """Waits until the worker answers; raises `SandboxUnavailable` with the reason of every level that was tried."""
        reasons = []
        for level in [self._level] if self._level else self._levels:
            if self._process is None:
                self._launch(level)
            try:
                layers = self._greeting()
            except SandboxUnavailable as error:
                reasons.append(f"{level}: {error}")
                self.close()
                continue
            if not {"mount-namespace", "landlock", "no-files"}.isdisjoint(layers) or self._setup.unisolated:
                self._level, self.layers = level, layers
                return
            self.close()
            reasons.append(f"{level}: nothing keeps the files of the user out of reach")
        remedy = "allow user namespaces (or run as root), or pass allow_unisolated=True (--allow-unisolated)"
        raise SandboxUnavailable(f"no isolated worker could be started ({'; '.join(reasons)}): {remedy}")

    def _launch(self, level: str) -> None:
        requests, self._requests = os.pipe()
        self._answers, answers = os.pipe()
        writable = self._setup.writable(level)
        command = [sys.executable, "-I", "-S", "-B", str(Path(__file__).with_name("isolation.py"))]
        command.append(self._spec(level, requests, answers, writable))
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker; a pipe would fill up
        self._process = subprocess.Popen(
            command, pass_fds=(requests, answers), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=self._errors,
        )  # fmt: skip
        os.close(requests)
        os.close(answers)
        with contextlib.suppress(BrokenPipeError):  # it ended already; the greeting will tell why
            self._send(self._worker_settings(level, writable))

    def _greeting(self) -> tuple[str, ...]:
        """The layers that the worker says are in force."""
        try:
            (size,) = struct.unpack("<I", self._receive(4, START_S))
            return tuple(marshal.loads(self._receive(size, START_S)))
        except (EOFError, TimeoutError) as error:
            raise SandboxUnavailable(self._last_words() or f"{type(error).__name__} {error}") from None

    def _spec(self, level: str, requests: int, answers: int, writable: list[str]) -> str:
        setup = self._setup
        programs = [p for p in _PROGRAMS if setup.library and Path(p).is_dir() and not Path(p).is_symlink()]
        links = dict(setup.interpreter.links)
        if setup.library:
            links |= {p: str(Path(p).readlink()) for p in _PROGRAMS if Path(p).is_symlink()}
            links |= {f"{_PYTHON}/{name}": setup.interpreter.executable for name in ("python", "python3")}
        scratch = writable[0] if writable else "/nonexistent"
        environment = _ENVIRONMENT | {"HOME": scratch, "TMPDIR": scratch, "MPLCONFIGDIR": f"{scratch}/mpl"}
        here = Path(__file__).parent
        namespaces = level == "namespaces"
        if setup.library and namespaces:
            environment["PATH"] = f"{_PYTHON}:{environment['PATH']}"
        own = here / "worker" if namespaces else here
        listed = () if namespaces else setup.interpreter.path  # Landlock stops the import system from listing others
        found = self._places(level)
        command = [setup.interpreter.executable, "-s", "-S", "-B", *setup.arguments]
        return json.dumps(
            {
                "level": level,
                "command": [found.inside(command[0]), *map(found.rewrite, command[1:])],
                "environment": environment | found.environment(),
                "read": {p: found.inside(p) for p in sorted({*setup.interpreter.read, str(own), *programs, *listed})},
                "held": dict(found.held),
                "links": {link: found.inside(target) for link, target in links.items()},
                "writable": writable,
                "scratch_mb": SCRATCH_MB,
                "memory_mb": setup.limits.memory_mb if setup.library else 0,
                "cpu_s": setup.limits.cpu_s,
                "proc": namespaces and setup.proc,
                "requests": requests,
                "answers": answers,
            }
        )

    def _places(self, level: str) -> Places:
        return places(self._setup.interpreter, str(Path(__file__).resolve().parents[1]), level == "namespaces")

    def _worker_settings(self, level: str, writable: list[str]) -> dict[str, Any]:
        setup = self._setup
        files, lonely = level != "seccomp", level != "namespaces"
        path = list(map(self._places(level).inside, setup.interpreter.path))
        return {
            "path": path, "preload": list(setup.preload), "library": setup.library,
            "writable": writable, "scratch_mb": SCRATCH_MB, "memory_mb": setup.limits.memory_mb,
            "output_bytes": setup.limits.output_bytes, "pages": self._pages(),
            "filter": seccomp.candidate_filter(setup.library), "lonely": lonely,
            "lonely_filter": seccomp.lonely_filter(setup.library, files=files) if lonely else b"",
            "thread_filter": seccomp.lonely_filter(True, files=files) if lonely else seccomp.thread_filter(),
            "closed_filter": seccomp.lonely_filter(False) if lonely else b"", "no_files": not files,
        }  # fmt: skip

    def _pages(self) -> int:
        """Bytes for the records of one process of a candidate."""
        return (8 << 20) + 2 * self._setup.limits.output_bytes

    def ask(self, units: Sequence[Unit]) -> Iterator[Answer]:
        """Answers in the order of the units. After the death of a worker the rest is asked of a new one."""
        todo = list(units)
        deaths = 0
        while todo:
            try:
                self._send([(u.payload, u.load_s, u.cpu_s, u.wall_s, u.cells) for u in todo])
                while todo:
                    answer = self._answer(todo[0])
                    del todo[0]
                    deaths = 0
                    yield answer
            except (EOFError, BrokenPipeError, TimeoutError):
                self.close()
                deaths += 1
                if deaths == 3:
                    del todo[0]
                    deaths = 0
                    yield Answer(0, ENDED, 0.0, b"", lost=True)
                self.ready()

    def _answer(self, unit: Unit) -> Answer:
        patience = GRACE_S + unit.wall_s * (unit.cells + 1)
        status, why, cpu_s, size = ANSWER.unpack(self._receive(ANSWER.size, patience))
        if size > self._pages() + SPARE:
            raise EOFError("the worker does not speak its own language")
        return Answer(status, why, cpu_s, self._receive(size, GRACE_S))

    def _send(self, message: Any) -> None:
        data = marshal.dumps(message, 2)
        view = memoryview(struct.pack("<I", len(data)) + data)
        while view:
            view = view[os.write(self._requests, view[: 1 << 20]) :]

    def _receive(self, size: int, patience_s: float) -> bytes:
        parts, end = [], time.monotonic() + patience_s
        while size:
            if not _wait(self._answers, end - time.monotonic()):
                raise TimeoutError(f"no answer for {patience_s:.0f} s")
            part = os.read(self._answers, min(size, 1 << 20))
            if not part:
                raise EOFError("the worker ended")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _last_words(self) -> str:
        """The last line that the worker wrote to standard error, or one of the processes that start it."""
        if self._process is None:
            return ""
        with contextlib.suppress(OSError):
            os.close(self._requests)
            self._requests = -1
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2.0)
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def close(self) -> None:
        """Ends the worker and everything in its namespaces; returns when they are gone. Harmless when repeated."""
        process, self._process = self._process, None
        if process is None:
            return
        for fd in (self._requests, self._answers):
            with contextlib.suppress(OSError):
                os.close(fd)
        self._requests = self._answers = -1
        self._errors.close()
        try:
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
