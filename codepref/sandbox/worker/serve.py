"""The fork server: imports libraries once, locks itself down, forks, enforces limits and answers.

Messages: 4 bytes of length, then marshal version 2. First message: a `dict` of settings. Every further request is a
list of units `(payload, load_s, cpu_s, wall_s, records)`; the answer to each is a header `ANSWER` and the records.
"""

# System calls on purpose, in the time between two candidates.
# ruff: noqa: PTH101, PTH104, PTH106, PTH108, PTH116

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the wrappers in signal make enums, which costs page faults
import ctypes
import gc
import importlib
import marshal
import mmap
import os
import resource
import select
import signal
import stat
import struct
import sys
import time
import types
from typing import Any, Callable, Iterable  # noqa: UP035 - Python 3.8

from . import ANSWER, ANSWERS, CPU_LIMIT, ENDED, HEAD, LOAD_LIMIT, REQUESTS, WALL_LIMIT
from .candidate import Spawn, run
from .harmless import SAFE_MODULES, risky_names
from .report import Report, Sink

TICK_S = 0.01
GRACE_S = 5.0
"""What the child of the server may take longer than the limits of its own children."""
PRELOADED = (*SAFE_MODULES, "copy", "decimal", "enum", "dataclasses", "abc", "contextlib", "numbers", "io", "warnings",
             "encodings.latin_1", "random", "time", "traceback")  # fmt: skip
LINUX = sys.platform == "linux"
CHILD_ENDED = (int(signal.SIGCHLD),)
_SET_PDEATHSIG, _SET_DUMPABLE, _SET_SECCOMP, _SET_SUBREAPER, _NO_NEW_PRIVS = 1, 4, 22, 36, 38

Handler = Callable[[Report, bytes, Spawn], None]


def address_space() -> int:
    """Bytes of address space in use, found by asking for one more page under ever smaller limits."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    low, high = 0, 1 << 42
    while high - low > 1 << 20:
        middle = (low + high) // 2
        resource.setrlimit(resource.RLIMIT_AS, (middle, hard))
        try:
            mmap.mmap(-1, 1 << 16).close()
            high = middle
        except (OSError, MemoryError):
            low = middle
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    return high


def limit(name: str, value: int) -> None:
    """Sets a resource limit where the system has it and it is not lower already."""
    number = getattr(resource, "RLIMIT_" + name, None)
    if number is not None:
        hard = resource.getrlimit(number)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (value, value))


def limit_processes(extra: int) -> bool:
    """Allows one child and `extra` more processes. False where the limit does not bind, as for uid 0."""
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    for count in range(1, 64):
        resource.setrlimit(resource.RLIMIT_NPROC, (count, hard))
        try:
            child = os.fork()
        except BlockingIOError:
            continue
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        if count == 1:
            break
        resource.setrlimit(resource.RLIMIT_NPROC, (count + extra, count + extra))
        return True
    resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))
    return False


def install_filter(program: bytes) -> bool:
    """Installs a seccomp filter for this process and its children."""
    if not program:
        return False
    code = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    return bool(ctypes.CDLL(None).prctl(_SET_SECCOMP, 2, head, 0, 0) == 0)


def lock_down(settings: dict[str, Any]) -> list[str]:
    """Applies everything that is inherited by children. Returns the layers in force."""
    library = settings["library"]
    layers = ["rlimits"]
    limit("CORE", 0)
    limit("MEMLOCK", 0)
    limit("MSGQUEUE", 0)
    limit("FSIZE", settings["scratch_mb"] << 20 if library else 0)
    limit("NOFILE", 256 if library else 64)
    if sys.platform != "linux":
        limit("AS", settings["memory_mb"] << 20)
        return layers
    limit("AS", address_space() + (settings["memory_mb"] << 20))
    if limit_processes(64 if library else 1):
        layers.append("process-limit")
    libc = ctypes.CDLL(None)
    if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        layers.append("no-new-privs")
    libc.prctl(_SET_DUMPABLE, 0, 0, 0, 0)  # not dumpable: no ptrace, no core
    if install_filter(settings["filter"]):
        layers.append("seccomp")
    return layers


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


def write(data: bytes) -> None:
    """All of `data` to the answer pipe."""
    view = memoryview(data)
    while view:
        view = view[os.write(ANSWERS, view) :]


def cpu_clock(pid: int) -> Callable[[], float]:
    """Reader of a process' CPU clock; constant zero on systems without one, where the wall limit stays."""
    if not LINUX:
        return lambda: 0.0
    clock = (~pid << 3) | 2
    return lambda: time.clock_gettime(clock)


def watch(
    pid: int, report: Report, limits: tuple[float, float, float, int], hung_up: Callable[[], bool]
) -> tuple[int, int, float]:
    """Waits for a child or kills it: wait status, why it was killed, CPU seconds.

    Limits: CPU seconds to the first record, CPU and wall seconds for each further one, and how many of them count.
    """
    load_s, cpu_s, wall_s, renewals = limits
    doze(min(TICK_S, load_s))
    done, status, usage = os.wait4(pid, os.WNOHANG)
    if done:  # nearly always; whatever else this process touches is copied for the child, so it comes later
        return status, ENDED, usage.ru_utime + usage.ru_stime
    clock, now = cpu_clock(pid), time.monotonic
    used, since_cpu, since, loading, tick = report.offset, 0.0, now(), True, 0.0
    while True:
        doze(tick)
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if done:
            return status, ENDED, usage.ru_utime + usage.ru_stime
        if hung_up():
            os.kill(pid, signal.SIGKILL)
            os._exit(0)
        cpu, fresh, tick = clock(), report.used(), TICK_S
        if fresh != used and renewals > 0:
            used, since_cpu, since, loading = fresh, cpu, now(), False
            renewals -= 1
            continue
        why = WALL_LIMIT if now() - since > wall_s else ENDED
        left = since_cpu + (load_s if loading else cpu_s) - cpu
        if left < 0.0:
            why = LOAD_LIMIT if loading else CPU_LIMIT
        tick = min(TICK_S, max(left, 0.0005))  # it can not use up what is left of its limit any sooner
        if why != ENDED:
            os.kill(pid, signal.SIGKILL)
            _, status, usage = os.wait4(pid, 0)
            return status, why, usage.ru_utime + usage.ru_stime


def doze(seconds: float) -> None:
    """Waits for the end of a child, or for so long."""
    if LINUX:
        _signal.sigtimedwait(CHILD_ENDED, seconds)
    else:
        time.sleep(seconds)


def end_others() -> None:
    """Kills and reaps every process that a candidate left in this PID namespace."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return
    try:
        while True:
            os.wait4(-1, 0)
    except ChildProcessError:
        pass


def wipe(folders: list[str]) -> None:
    """Empties the folders a candidate may write to, but for what is mounted there.

    Inner folders are first moved to the top, so neither depth nor length of a path matters.
    """
    for top in folders:
        device, moved = os.stat(top).st_dev, 0
        todo = [entry.path for entry in os.scandir(top)]
        while todo:
            path = todo.pop()
            try:
                facts = os.lstat(path)
                if facts.st_dev != device:
                    continue
                if not stat.S_ISDIR(facts.st_mode):
                    os.unlink(path)
                    continue
                os.chmod(path, 0o700)
                for entry in list(os.scandir(path)):
                    if entry.is_dir(follow_symlinks=False):
                        os.chmod(entry.path, 0o700)  # a folder without write permission can not be moved
                    target = f"{top}/.{moved}"
                    while os.path.lexists(target):
                        moved += 1
                        target = f"{top}/.{moved}"
                    os.rename(entry.path, target)
                    todo.append(target)
                os.rmdir(path)
            except OSError:  # a mount point, or a folder that holds one
                continue


class Server:
    """Answers requests until the supervisor closes the pipe."""

    def __init__(self, settings: dict[str, Any], report: Report, handler: Handler) -> None:
        self.settings, self.report, self.handler = settings, report, handler
        self.lonely, self.writable = settings["lonely"], settings["writable"]
        self.childless = settings["childless"]
        self.poll = select.poll()
        self.poll.register(REQUESTS, 0)

    def hung_up(self) -> bool:
        """True when the supervisor is gone."""
        return bool(self.poll.poll(0))

    def serve(self) -> None:
        """Never returns."""
        while True:
            for payload, load_s, cpu_s, wall_s, records in message():
                self.report.clear()
                pid = os.fork()
                if pid == 0:
                    self.be_child(payload)
                status, why, cpu = watch(pid, self.report, (load_s, cpu_s, wall_s, records), self.hung_up)
                if not self.lonely:
                    end_others()
                wipe(self.writable)
                used = self.report.used()
                write(ANSWER.pack(status, why, cpu, used - HEAD.size) + self.report.pages[HEAD.size : used])

    def be_child(self, payload: bytes) -> None:
        """Runs the handler in a forked child."""
        try:
            os.close(REQUESTS)
            os.close(ANSWERS)
            if LINUX:
                ctypes.CDLL(None).prctl(_SET_SUBREAPER, 1, 0, 0, 0)
            if self.lonely:
                self.tie()
            self.handler(self.report, payload, self.spawn)
        finally:
            os._exit(0)

    def spawn(self, body: Callable[[], None], cpu_s: float, wall_s: float, count: int = 64) -> tuple[int, int, float]:
        """Runs `body`, which runs a candidate, in a grandchild of the server; nothing of it is left afterwards.

        Each of the first `count` records of `body` starts the limits anew.
        """
        pid = os.fork()
        if pid == 0:
            try:
                if LINUX:
                    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, CHILD_ENDED)
                if self.lonely:
                    self.tie()
                    install_filter(self.settings["lonely_filter"])
                self.report.clock = time.process_time()
                body()
            finally:
                os._exit(0)
        status, why, cpu = watch(pid, self.report, (cpu_s, cpu_s, wall_s, count), never)
        if not (self.lonely or self.childless):
            end_others()
        if self.writable:
            wipe(self.writable)
        return status, CPU_LIMIT if why == LOAD_LIMIT else why, cpu

    def tie(self) -> None:
        """Without a PID namespace nothing else ends this process together with its parent."""
        if LINUX:
            ctypes.CDLL(None).prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def never() -> bool:
    """The child of the server leaves it to the server to see that nobody wants the answer any more."""
    return False


def preload(names: Iterable[str]) -> None:
    """Imports libraries once, for all children. One that is missing or broken is left to the candidate to find out."""
    for name in names:
        try:
            importlib.import_module(name)
        except Exception:
            continue


def main(make_handler: Callable[[], Handler], modules: Iterable[str] = PRELOADED) -> None:
    """Reads the settings, imports `modules`, locks down, says which layers are in force, serves."""
    settings = message()
    namespaces = [layer for layer in sys.argv[-1].split(",") if layer]
    sys.path[:], sys.argv[:] = settings["path"], [""]
    register, os.register_at_fork = os.register_at_fork, lambda **_: None
    preload(modules)  # above all `random`, which would seed itself anew after every fork
    os.register_at_fork = register
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
    sys.stdout = sys.__stdout__ = sys.stderr = sys.__stderr__ = Sink(report)  # type: ignore[assignment, misc]
    ready = marshal.dumps(layers, 2)
    write(struct.pack("<I", len(ready)) + ready)
    gc.collect()
    gc.freeze()
    Server(settings, report, handler).serve()


def candidates() -> Handler:
    """Handler of the candidates' worker; forgets the names of its own modules."""
    risky = risky_names()
    package = __name__.partition(".")[0]
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]
    sys.modules["__main__"] = types.ModuleType("__main__")
    return lambda report, payload, spawn: run(report, payload, risky, spawn)
