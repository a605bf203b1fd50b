"""What a worker gives up before it runs anything, and what each process of a candidate gives up besides."""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import resource
import signal
import struct
import sys
from typing import Any

LINUX = sys.platform == "linux"
THREADS = 32
"""Of a process in the function profile that asks for threads."""
CHILDREN = 64
"""Processes and threads of a candidate in the library profile."""
OWN_PID = struct.pack("<I", 0x7FEDCBA9)
"""In a filter it stands for the id of the process that installs it."""
PRIVATE_UID = 0x40000000
"""From here on a user id belongs to one sandbox alone, see isolation.py."""
_SET_PDEATHSIG, _SET_DUMPABLE, _SET_SECCOMP, _SET_SUBREAPER, _NO_NEW_PRIVS = 1, 4, 22, 36, 38
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT, _SCOPE_ABI = 444, 446, 6
_SCOPES = struct.pack("QQQ", 0, 0, 3)  # no signal and no abstract socket out of this domain
_libc = ctypes.CDLL(None)


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


def own_processes() -> int:
    """The process limit that just allows one child; 0 where the limit does not bind, as for uid 0."""
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    found = 0
    for count in range(1, 64):
        resource.setrlimit(resource.RLIMIT_NPROC, (count, hard))
        try:
            child = os.fork()
        except BlockingIOError:
            continue
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        found = 0 if count == 1 else count
        break
    resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))
    return found


def install_filter(program: bytes) -> bool:
    """Installs a seccomp filter for this process and its children."""
    if not program:
        return False
    program = program.replace(OWN_PID, struct.pack("<I", os.getpid()))
    code = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    return bool(_libc.prctl(_SET_SECCOMP, 2, head, 0, 0) == 0)


def signal_scope() -> int:
    """Descriptor of a Landlock domain that no signal leaves; -1 where the kernel has none."""
    if not LINUX or _libc.syscall(ctypes.c_long(_LANDLOCK_CREATE), None, ctypes.c_size_t(0), 1) < _SCOPE_ABI:
        return -1
    rules = _libc.syscall(ctypes.c_long(_LANDLOCK_CREATE), _SCOPES, ctypes.c_size_t(len(_SCOPES)), 0)
    return fcntl.fcntl(rules, fcntl.F_DUPFD_CLOEXEC, 16) if rules >= 0 else -1


def lock_down(settings: dict[str, Any]) -> list[str]:
    """Applies everything that is inherited by children. Returns the layers in force."""
    library = settings["library"]
    layers = ["rlimits"]
    limit("CORE", 0)
    limit("MEMLOCK", 0)
    limit("MSGQUEUE", 0)
    limit("FSIZE", settings["scratch_mb"] << 20 if library else 0)
    limit("NOFILE", 256 if library else 64)
    settings["processes"], settings["scope"] = 0, -1
    if not LINUX:
        limit("AS", settings["memory_mb"] << 20)
        return layers
    limit("AS", address_space() + (settings["memory_mb"] << 20))
    if not settings["lonely"] or os.getuid() >= PRIVATE_UID:  # else other processes of the user count, and come and go
        limit_processes(settings, layers)
    if _libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        layers.append("no-new-privs")
    _libc.prctl(_SET_DUMPABLE, 0, 0, 0, 0)  # not dumpable: no ptrace, no core
    settings["scope"] = signal_scope()
    if install_filter(settings["filter"]):
        layers += ["seccomp", "no-files"] if settings["no_files"] and settings["lonely_filter"] else ["seccomp"]
    return layers


def limit_processes(settings: dict[str, Any], layers: list[str]) -> None:
    """Beside this process, its child and the candidate there is room for what the profile allows."""
    count = own_processes()
    if count:
        layers.append("process-limit")
        settings["processes"] = count + (CHILDREN if settings["library"] else 1)
        most = count + (CHILDREN if settings["library"] else 1 + THREADS)
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def close_in(settings: dict[str, Any], total_s: float, threads: bool) -> None:
    """In a process that is about to run a candidate: what it has beyond the server's children is given up."""
    resource.setrlimit(resource.RLIMIT_CPU, (int(total_s) + 2, int(total_s) + 2))
    if not LINUX:
        return
    if settings["lonely"]:
        tie()
    threads = threads and not settings["library"] and bool(settings["thread_filter"])
    if settings["processes"] and not threads:
        resource.setrlimit(resource.RLIMIT_NPROC, (settings["processes"], settings["processes"]))
    install_filter(settings["thread_filter" if threads else "lonely_filter"])
    if settings["scope"] >= 0:
        _libc.syscall(ctypes.c_long(_LANDLOCK_RESTRICT), ctypes.c_int(settings["scope"]), 0)
        os.close(settings["scope"])


def adopt_orphans() -> None:
    """Processes whose parent dies become children of this one."""
    if LINUX:
        _libc.prctl(_SET_SUBREAPER, 1, 0, 0, 0)


def tie() -> None:
    """Without a PID namespace nothing else ends this process together with its parent."""
    if LINUX:
        _libc.prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
