"""The watcher of a worker, in the process that started it: ends it with its supervisor, and bounds what no rlimit does.

Loaded by isolation.py, which is a script of its own; a candidate that has children is looked at ten times a second.
"""

# ruff: noqa: PTH123, PTH208
import contextlib
import os
import select
import shutil
import signal
from typing import Any

Spec = dict[str, Any]
"""See isolation.py."""
WATCH_TICK_MS = 100
MOST_FILES = 4096
CPU_MARGIN_S = 0.1
"""What a candidate and its children may be over their CPU limit before they are stopped all together."""


def tree(pid: int) -> list[list[int]]:
    """Descendants of a process by generation; a candidate's daemons are among them, as the worker adopts them."""
    generations = [[pid]]
    while generations[-1]:
        children: list[int] = []
        for parent in generations[-1]:
            with contextlib.suppress(OSError):
                for thread in os.listdir(f"/proc/{parent}/task"):
                    with open(f"/proc/{parent}/task/{thread}/children") as file:
                        children += map(int, file.read().split())
        generations.append(children)
    return generations[1:-1]


def resident(pid: int) -> int:
    """Bytes of memory that no file holds, shared memory and what a fork still shares with its parent included."""
    found = 0
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith(("RssAnon:", "RssShmem:")):
                found += int(line.split()[1]) << 10
    return found


def share(pid: int) -> int:
    """Bytes of memory, each page divided by the number of processes that have it; slower to find."""
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/smaps_rollup") as file:
        return sum(int(line.split()[1]) << 10 for line in file if line.startswith("Pss:"))
    return resident(pid)


def cpu_time(pid: int) -> float:
    """CPU seconds of a process and of the children it has waited for."""
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/stat") as file:
        return sum(map(int, file.read().rpartition(")")[2].split()[11:15])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def stored(spec: Spec, worker: int) -> int:
    """Bytes in the folders that a candidate may write to; of a folder in the new root what its file system says."""
    found = 0
    for folder in spec["writable"]:
        with contextlib.suppress(OSError):
            if spec["level"] == "namespaces":
                facts = os.statvfs(f"/proc/{worker}/root{folder}")
                found += (facts.f_blocks - facts.f_bfree) * facts.f_frsize
            else:
                found += size_of(folder)
    return found


def size_of(folder: str) -> int:
    """Bytes of all files below a real folder; too many of them count as too large."""
    found = count = 0
    for place, _, names in os.walk(folder):
        count += 1 + len(names)
        if count > MOST_FILES:
            return 1 << 62
        for name in names:
            with contextlib.suppress(OSError):
                found += os.lstat(f"{place}/{name}").st_blocks * 512
    return found


def is_over(spec: Spec, worker: int, generations: list[list[int]]) -> bool:
    """True if the processes of a candidate together use more than their limits; rlimits only bound each of them.

    One process without files is left to its rlimit, which it meets as a MemoryError.
    """
    pids = [pid for generation in generations for pid in generation]
    files = stored(spec, worker)
    if spec["level"] != "namespaces" and files > spec["scratch_mb"] << 20:
        return True
    room = (spec["memory_mb"] << 20) - (files if spec["level"] == "namespaces" else 0)
    if (len(pids) > 2 or files > 0) and sum(map(resident, pids)) > room and sum(map(share, pids)) > room:
        return True
    used_s = sum(cpu_time(pid) for generation in generations[1:] for pid in generation)
    return used_s > float(spec["cpu_s"]) + CPU_MARGIN_S


def bound_candidates(spec: Spec, worker: int) -> None:
    """Kills a candidate that is over its limits, with all its children."""
    generations = tree(worker)
    if len(generations) > 1 and is_over(spec, worker, generations):
        for generation in generations[1:]:  # the first one is the worker's own
            for pid in generation:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)


def watch(spec: Spec, worker: int) -> None:
    """Waits for the worker; kills it when nobody is left to send requests; removes its folders afterwards."""
    requests = spec["requests"]
    with contextlib.suppress(OSError):
        os.closerange(3, requests)
        os.closerange(requests + 1, 4096)
    poll = select.poll()
    poll.register(requests, 0)  # only the hang-up is of interest, the worker reads the data
    pidfd = os.pidfd_open(worker)
    poll.register(pidfd, select.POLLIN)
    while not (ready := poll.poll(WATCH_TICK_MS if spec["memory_mb"] else None)):
        bound_candidates(spec, worker)
    if requests in dict(ready):
        os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    if spec["level"] != "namespaces":
        for folder in spec["writable"]:
            shutil.rmtree(folder, ignore_errors=True)
