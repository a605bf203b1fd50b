"""Waiting for a process that runs untrusted code: its limits, and what it left behind."""

# System calls on purpose, in the time between two candidates.
# ruff: noqa: PTH101, PTH104, PTH106, PTH108, PTH116

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the wrappers in signal make enums, which costs page faults
import os
import signal
import stat
import sys
import time
from typing import Callable, NamedTuple  # noqa: UP035 - Python 3.8

from . import CPU_LIMIT, ENDED, HEAD, LOAD_LIMIT, WALL_LIMIT

TICK_S = 0.01
LINUX = sys.platform == "linux"
CHILD_ENDED = (int(signal.SIGCHLD),)
FORK_PAUSES_S = (0.01, 0.1, 0.5)


class Allowance(NamedTuple):
    """Limits of one process, in seconds: CPU until its first record, CPU and wall time for each further one.

    `renewals` is how many records start the limits anew. Whatever it records, it gets no more than `total_s` and
    `total_wall_s`.
    """

    load_s: float
    cpu_s: float
    wall_s: float
    renewals: int
    total_s: float
    total_wall_s: float


class Ending(NamedTuple):
    """How a process ended: wait status, why it was killed, CPU seconds of it and of the children it waited for."""

    status: int
    why: int
    cpu_s: float


def cpu_clock(pid: int) -> Callable[[], float]:
    """Reader of a process' CPU clock; constant zero on systems without one, where the wall limit stays."""
    if not LINUX:
        return lambda: 0.0
    clock = (~pid << 3) | 2
    return lambda: time.clock_gettime(clock)


def watch(pid: int, allowed: Allowance, mark: Callable[[], int], check: Callable[[], int]) -> Ending:
    """Waits for a child or kills it.

    `mark` changes when the process has recorded something; `check` is asked at every tick for a reason to kill it.
    """
    doze(min(TICK_S, allowed.load_s))
    done, status, usage = os.wait4(pid, os.WNOHANG)
    if done:  # nearly always; whatever else this process touches is copied for the child, so it comes later
        return Ending(status, ENDED, usage.ru_utime + usage.ru_stime)
    clock, begun, renewals = cpu_clock(pid), time.monotonic(), allowed.renewals
    seen, since_cpu, since, loading, tick = HEAD.size, 0.0, begun, True, 0.0
    while True:
        doze(tick)
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if done:
            return Ending(status, ENDED, usage.ru_utime + usage.ru_stime)
        why, cpu, now, fresh = check(), clock(), time.monotonic(), mark()
        if fresh != seen and renewals > 0:
            seen, since_cpu, since, loading = fresh, cpu, now, False
            renewals -= 1
        left = min(since_cpu + (allowed.load_s if loading else allowed.cpu_s), allowed.total_s) - cpu
        if left < 0.0:
            why = LOAD_LIMIT if loading else CPU_LIMIT
        elif now - since > allowed.wall_s or now - begun > allowed.total_wall_s:
            why = WALL_LIMIT
        tick = min(TICK_S, max(left, 0.0005))  # it can not use up what is left of its limit any sooner
        if why != ENDED:
            os.kill(pid, signal.SIGKILL)
            _, status, usage = os.wait4(pid, 0)
            return Ending(status, why, usage.ru_utime + usage.ru_stime)


def fork() -> int:
    """fork(2), tried again for a while on a machine that has no process to spare; raises OSError then."""
    for pause_s in FORK_PAUSES_S:
        try:
            return os.fork()
        except BlockingIOError:
            time.sleep(pause_s)
    return os.fork()


def empty_process() -> float:
    """CPU seconds of a process that does nothing."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    usage = os.wait4(pid, 0)[2]
    return usage.ru_utime + usage.ru_stime


def doze(seconds: float) -> None:
    """Waits for the end of a child, or for so long."""
    if LINUX:
        _signal.sigtimedwait(CHILD_ENDED, seconds)
    else:
        time.sleep(seconds)


def end_others() -> float:
    """Kills and reaps every process that a candidate left in this PID namespace; their CPU seconds."""
    cpu_s = 0.0
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return cpu_s
    try:
        while True:
            usage = os.wait4(-1, 0)[2]
            cpu_s += usage.ru_utime + usage.ru_stime
    except ChildProcessError:
        return cpu_s


def wipe(folders: list[str]) -> None:
    """Empties the folders a candidate may write to, but for what is mounted there.

    Inner folders are first moved to the top, so neither depth nor length of a path matters.
    """
    for top in folders:
        try:
            os.chmod(top, 0o1777)  # what a candidate has done to its folder must not reach the next one
            os.utime(top, (0, 0))
        except OSError:  # somebody else's, which it could not change either
            pass
        try:
            device, moved = os.stat(top).st_dev, 0
            todo = [entry.path for entry in os.scandir(top)]
        except OSError:
            continue
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
