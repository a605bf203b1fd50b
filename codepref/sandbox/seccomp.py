"""Builds the system-call filter of a sandbox as classic BPF bytes; the worker installs it after its imports.

Allow-list: whatever is not named fails with EPERM, and of some calls only certain arguments pass. Threads and processes
are bounded by RLIMIT_NPROC, so `clone` is only kept from making namespaces here; `clone3`, whose flags a filter can not
read, reports ENOSYS and the C library falls back to `clone`. Numbers: Linux uapi headers of x86-64 and of the generic
table (aarch64, not tested).
"""

import platform
import struct

# name: (x86-64, aarch64); None where the architecture lacks the call. Read-only and in-process calls, and pairs of
# connected local sockets, which event loops wake themselves with.
_BASE = {
    "read": (0, 63), "write": (1, 64), "open": (2, None), "close": (3, 57), "stat": (4, None), "fstat": (5, 80),
    "lstat": (6, None), "poll": (7, None), "lseek": (8, 62), "mmap": (9, 222), "mprotect": (10, 226),
    "munmap": (11, 215), "brk": (12, 214), "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139), "ioctl": (16, 29), "pread64": (17, 67), "readv": (19, 65), "writev": (20, 66),
    "access": (21, None), "pipe": (22, None), "select": (23, None), "sched_yield": (24, 124), "mremap": (25, 216),
    "madvise": (28, 233), "dup": (32, 23), "dup2": (33, None), "pause": (34, None), "nanosleep": (35, 101),
    "getitimer": (36, 102), "alarm": (37, None), "setitimer": (38, 103), "getpid": (39, 172), "exit": (60, 93),
    "wait4": (61, 260), "kill": (62, 129), "uname": (63, 160), "fcntl": (72, 25), "getdents": (78, None),
    "getcwd": (79, 17), "chdir": (80, 49), "fchdir": (81, 50), "readlink": (89, None), "umask": (95, 166),
    "gettimeofday": (96, 169), "getrlimit": (97, 163), "getrusage": (98, 165), "sysinfo": (99, 179),
    "times": (100, 153), "getuid": (102, 174), "getgid": (104, 176), "geteuid": (107, 175), "getegid": (108, 177),
    "getppid": (110, 173), "getpgrp": (111, None), "getgroups": (115, 158), "getresuid": (118, 148),
    "getresgid": (120, 150), "getpgid": (121, 155), "getsid": (124, 156), "rt_sigpending": (127, 136),
    "rt_sigtimedwait": (128, 137), "rt_sigsuspend": (130, 133), "sigaltstack": (131, 132), "statfs": (137, 43),
    "fstatfs": (138, 44), "getpriority": (140, 141), "arch_prctl": (158, None), "setrlimit": (160, 164),
    "gettid": (186, 178), "time": (201, None), "futex": (202, 98), "sched_getaffinity": (204, 123),
    "getdents64": (217, 61), "set_tid_address": (218, 96), "restart_syscall": (219, 128), "fadvise64": (221, 223),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "clock_nanosleep": (230, 115), "exit_group": (231, 94),
    "epoll_wait": (232, None), "epoll_ctl": (233, 21), "tgkill": (234, 131), "openat": (257, 56),
    "newfstatat": (262, 79), "readlinkat": (267, 78), "faccessat": (269, 48), "pselect6": (270, 72),
    "ppoll": (271, 73), "set_robust_list": (273, 99), "epoll_pwait": (281, 22), "landlock_restrict_self": (446, 446),
    "eventfd2": (290, 19), "epoll_create1": (291, 20), "dup3": (292, 24), "pipe2": (293, 59), "prlimit64": (302, 261),
    "getcpu": (309, 168), "getrandom": (318, 278), "membarrier": (324, 283), "statx": (332, 291), "rseq": (334, 293),
    "close_range": (436, 436), "faccessat2": (439, 439), "clone": (56, 220), "fork": (57, None), "vfork": (58, None),
    "prctl": (157, 167), "sendto": (44, 206), "recvfrom": (45, 207), "sendmsg": (46, 211), "recvmsg": (47, 212),
    "shutdown": (48, 210), "getsockname": (51, 204), "getpeername": (52, 205), "socketpair": (53, 199),
    "setsockopt": (54, 208), "getsockopt": (55, 209),
}  # fmt: skip

# What the library profile adds: files inside its private folder, child processes.
_LIBRARY = {
    "pwrite64": (18, 68), "msync": (26, 227), "mincore": (27, 232), "sendfile": (40, 71), "execve": (59, 221),
    "flock": (73, 32), "fsync": (74, 82), "fdatasync": (75, 83), "truncate": (76, 45), "ftruncate": (77, 46),
    "rename": (82, None), "mkdir": (83, None), "rmdir": (84, None), "creat": (85, None), "link": (86, None),
    "unlink": (87, None), "symlink": (88, None), "chmod": (90, None), "fchmod": (91, 52), "setpgid": (109, 154),
    "setsid": (112, 157), "utime": (132, None), "sched_setaffinity": (203, 122), "utimes": (235, None),
    "waitid": (247, 95), "mkdirat": (258, 34), "unlinkat": (263, 35), "renameat": (264, 38), "linkat": (265, 37),
    "symlinkat": (266, 36), "fchmodat": (268, 53), "utimensat": (280, 88), "fallocate": (285, 47),
    "copy_file_range": (326, 285), "renameat2": (316, 276), "mknod": (133, None), "mknodat": (259, 33),
    "getxattr": (191, 8), "lgetxattr": (192, 9), "fgetxattr": (193, 10), "listxattr": (194, 11),
    "llistxattr": (195, 12), "flistxattr": (196, 13), "sched_getscheduler": (145, 120), "sync_file_range": (277, 84),
}  # fmt: skip

_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_LOAD, _EQUAL, _GREATER_EQUAL, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_KILL, _ALLOW, _ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
_EPERM, _ENOSYS, _CLONE3 = 1, 38, 435
_NAMESPACE_FLAGS, _THREAD = 0x7E020080, 0x10000
_X32 = 0x40000000
OWN_PID = 0x7FEDCBA9
"""Stands for the id of the process that installs the filter, see worker/lock.py."""
_ALL = 0xFFFFFFFF

# name: (number of the argument, its bits that count, values that pass)
_ARGUMENTS = {
    "prctl": (0, _ALL, (1, 15, 16, 22, 36)),  # death of the parent, names, seccomp, orphans; the worker needs them, too
    "prlimit64": (0, _ALL, (0,)),  # oneself
    "sched_setaffinity": (0, _ALL, (0,)),
    "getpriority": (1, _ALL, (0,)),
    "socketpair": (0, _ALL, (1,)),  # local
    # duplicates, flags, locks, signal of a file, size of a pipe; not: who gets the signal, leases, notices, size to set
    "fcntl": (1, _ALL, (0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 36, 37, 38, 1030, 1032)),
    # TCGETS, TIOCGPGRP, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
    "ioctl": (1, _ALL, (0x5401, 0x540F, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)),
}
_STREAM = {"socketpair": (1, 0xF, (1,))}
"""Of connected streams: a datagram socket could be given any address to send to."""
_OUTSIDE = ("chmod", "fchmod", "fchmodat", "utime", "utimes", "utimensat", "truncate", "getxattr", "lgetxattr",
            "fgetxattr", "listxattr", "llistxattr", "flistxattr", "link", "linkat", "flock", "setpgid")  # fmt: skip
"""Refused where no mount namespace hides the files of the user and Landlock does not know the call."""
_BY_NAME = ("open", "openat", "stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink",
            "readlinkat", "statfs", "chdir")  # fmt: skip
"""Everything of the function profile that is given the name of a file."""
_TRUNCATE, _ACCESS_MODE = 0x200, 3


def _op(code: int, argument: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, argument)


_REFUSE, _PASS = _op(_RETURN, _ERRNO | _EPERM), _op(_RETURN, _ALLOW)


def _search(numbers: list[int]) -> bytes:
    """Binary search of the loaded system-call number; every path ends in a return."""
    if len(numbers) <= 4:
        tests = [_op(_EQUAL, number, len(numbers) - i) for i, number in enumerate(numbers)]
        return b"".join(tests) + _REFUSE + _PASS
    middle = len(numbers) // 2
    low, high = _search(numbers[:middle]), _search(numbers[middle:])
    return _op(_GREATER_EQUAL, numbers[middle], len(low) // 8) + low + high


def _when(number: int | None, block: bytes) -> bytes:
    """A block, which ends in a return, for the call of which the number is loaded; empty for one that is not there."""
    return b"" if number is None else _op(_EQUAL, number, 0, len(block) // 8) + block


def _only(place: int, mask: int, values: tuple[int, ...]) -> bytes:
    """Refuses any other value of an argument and goes on after the block otherwise. Its upper half is not looked at:
    the kernel takes each of these arguments for an int."""
    load = _op(_LOAD, 16 + 8 * place) + (b"" if mask == _ALL else _op(_AND, mask))
    tests = [_op(_EQUAL, value, len(values) - i) for i, value in enumerate(values)]
    return load + b"".join(tests) + _REFUSE


def _is_only(place: int, mask: int, values: tuple[int, ...]) -> bytes:
    return _only(place, mask, values) + _PASS


def _numbers(machine: str) -> tuple[int, int] | None:
    """Column of the tables and audit number of an architecture."""
    return _ARCHITECTURES.get(machine or platform.machine())


def candidate_filter(library: bool, machine: str = "") -> bytes:
    """BPF program for the function or the library profile; empty where the architecture is not known."""
    known = _numbers(machine)
    if known is None:
        return b""
    column, audit = known
    names = _BASE | (_LIBRARY if library else {})
    allowed = {name: number for name, both in names.items() if (number := both[column]) is not None}
    program = [
        _op(_LOAD, 4), _op(_EQUAL, audit, 1), _op(_RETURN, _KILL),
        _op(_LOAD, 0), _op(_GREATER_EQUAL, _X32, 0, 1), _op(_RETURN, _KILL),
        _when(_CLONE3, _op(_RETURN, _ERRNO | _ENOSYS)),
        _when(allowed["clone"], _op(_LOAD, 16) + _op(_ANY_BIT, _NAMESPACE_FLAGS, 0, 1) + _REFUSE + _PASS),
    ]  # fmt: skip
    for name, rule in _ARGUMENTS.items():
        if name in allowed:
            more = _only(*_STREAM[name]) if name in _STREAM else b""
            program.append(_when(allowed[name], more + _is_only(*rule)))
    searched = set(allowed.values()) - {allowed[name] for name in ("clone", *_ARGUMENTS) if name in allowed}
    return b"".join(program) + _search(sorted(searched))


def lonely_filter(threads: bool, machine: str = "", *, files: bool = True) -> bytes:
    """Second filter for each candidate where no namespaces are: no processes, signals to itself alone, no prctl, and
    nothing that changes or locks a file by its name or past Landlock.

    `threads`: clone stays allowed with the flag that makes a thread. Without `files` no file can be named at all.
    """
    known = _numbers(machine)
    if known is None:
        return b""
    column = known[0]
    every = _BASE | _LIBRARY
    program = [_op(_LOAD, 0)]
    program += [
        _when(every[name][column], _REFUSE)
        for name in ("prctl", "fork", "vfork", *_OUTSIDE, *(() if files else _BY_NAME))
    ]
    program += [_when(every[name][column], _is_only(0, _ALL, (OWN_PID,))) for name in ("kill", "tgkill")]
    for name, place in (("open", 1), ("openat", 2)):  # empties a file that was opened for reading
        flags = _op(_LOAD, 16 + 8 * place)
        emptied = flags + _op(_ANY_BIT, _TRUNCATE, 1) + _PASS + _op(_ANY_BIT, _ACCESS_MODE, 1) + _REFUSE + _PASS
        program.append(_when(every[name][column], emptied))
    program.append(_when(every["clone"][column], _new_threads(threads)))
    return b"".join(program) + _PASS


def thread_filter(machine: str = "") -> bytes:
    """Second filter for a candidate in the function profile that may have threads: still no processes."""
    known = _numbers(machine)
    if known is None:
        return b""
    program = [_op(_LOAD, 0)]
    program += [_when(_BASE[name][known[0]], _REFUSE) for name in ("fork", "vfork")]
    program.append(_when(_BASE["clone"][known[0]], _new_threads(True)))
    return b"".join(program) + _PASS


def _new_threads(allowed: bool) -> bytes:
    """Of clone: threads or nothing."""
    return _op(_LOAD, 16) + _op(_ANY_BIT, _THREAD if allowed else 0, 1) + _REFUSE + _PASS
