"""Builds the system-call filter of a sandbox as classic BPF bytes; the worker installs it after its imports.

Allow-list: whatever is not named fails with EPERM. Threads and processes are bounded by RLIMIT_NPROC, so `clone` is
only kept from making namespaces here; `clone3`, whose flags a filter can not read, reports ENOSYS and the C library
falls back to `clone`. Numbers: Linux uapi headers of x86-64 and of the generic table (aarch64, not tested).
"""

import platform
import struct

# name: (x86-64, aarch64); 0 where the architecture lacks the call. Read-only and in-process calls.
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
    "ppoll": (271, 73), "set_robust_list": (273, 99), "get_robust_list": (274, 100), "epoll_pwait": (281, 22),
    "eventfd2": (290, 19), "epoll_create1": (291, 20), "dup3": (292, 24), "pipe2": (293, 59), "prlimit64": (302, 261),
    "getcpu": (309, 168), "getrandom": (318, 278), "membarrier": (324, 283), "statx": (332, 291), "rseq": (334, 293),
    "close_range": (436, 436), "faccessat2": (439, 439), "clone": (56, 220), "fork": (57, None), "vfork": (58, None),
}  # fmt: skip

# What the library profile adds: files inside its private folder, child processes, local sockets without a network.
_LIBRARY = {
    "pwrite64": (18, 68), "msync": (26, 227), "mincore": (27, 232), "sendfile": (40, 71), "sendto": (44, 206),
    "recvfrom": (45, 207), "sendmsg": (46, 211), "recvmsg": (47, 212), "shutdown": (48, 210),
    "getsockname": (51, 204), "getpeername": (52, 205), "socketpair": (53, 199), "setsockopt": (54, 208),
    "getsockopt": (55, 209), "execve": (59, 221), "flock": (73, 32), "fsync": (74, 82), "fdatasync": (75, 83),
    "truncate": (76, 45), "ftruncate": (77, 46), "rename": (82, None), "mkdir": (83, None), "rmdir": (84, None),
    "creat": (85, None), "link": (86, None), "unlink": (87, None), "symlink": (88, None), "chmod": (90, None),
    "fchmod": (91, 52), "setpgid": (109, 154), "setsid": (112, 157), "utime": (132, None),
    "sched_setaffinity": (203, 122), "utimes": (235, None), "waitid": (247, 95), "mkdirat": (258, 34),
    "unlinkat": (263, 35), "renameat": (264, 38), "linkat": (265, 37), "symlinkat": (266, 36), "fchmodat": (268, 53),
    "utimensat": (280, 88), "fallocate": (285, 47), "copy_file_range": (326, 285), "renameat2": (316, 276),
    "memfd_create": (319, 279), "mknod": (133, None), "mknodat": (259, 33), "getxattr": (191, 8), "lgetxattr": (192, 9),
    "fgetxattr": (193, 10), "listxattr": (194, 11), "llistxattr": (195, 12), "flistxattr": (196, 13),
    "sched_getscheduler": (145, 120), "sync_file_range": (277, 84),
}  # fmt: skip

_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_LOAD, _EQUAL, _GREATER_EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_KILL, _ALLOW, _ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
_EPERM, _ENOSYS, _CLONE3 = 1, 38, 435
_NAMESPACE_FLAGS = 0x7E020080
_PRCTL, _PRCTL_OPTIONS = (157, 167), (1, 15, 16, 22, 36)
"""Allowed: signal at the death of the parent, name, seccomp filter, adoption of orphans; the worker needs them, too."""
_THREAD = 0x10000
_X32 = 0x40000000


def _op(code: int, argument: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, argument)


def _search(numbers: list[int]) -> bytes:
    """Binary search of the loaded system-call number; every path ends in a return."""
    if len(numbers) <= 4:
        tests = [_op(_EQUAL, number, len(numbers) - i) for i, number in enumerate(numbers)]
        return b"".join(tests) + _op(_RETURN, _ERRNO | _EPERM) + _op(_RETURN, _ALLOW)
    middle = len(numbers) // 2
    low, high = _search(numbers[:middle]), _search(numbers[middle:])
    return _op(_GREATER_EQUAL, numbers[middle], len(low) // 8) + low + high


def candidate_filter(library: bool, machine: str = "") -> bytes:
    """BPF program for the function or the library profile; empty where the architecture is not known."""
    known = _ARCHITECTURES.get(machine or platform.machine())
    if known is None:
        return b""
    column, audit = known
    names = _BASE | (_LIBRARY if library else {})
    allowed = sorted(number for both in names.values() if (number := both[column]) is not None)
    clone = names["clone"][column] or 0
    allowed.remove(clone)
    program = [
        _op(_LOAD, 4), _op(_EQUAL, audit, 1), _op(_RETURN, _KILL),
        _op(_LOAD, 0), _op(_GREATER_EQUAL, _X32, 0, 1), _op(_RETURN, _KILL),
        _op(_EQUAL, _CLONE3, 0, 1), _op(_RETURN, _ERRNO | _ENOSYS),
        _op(_EQUAL, clone, 0, 4), _op(_LOAD, 16), _op(_ANY_BIT, _NAMESPACE_FLAGS, 0, 1),
        _op(_RETURN, _ERRNO | _EPERM), _op(_RETURN, _ALLOW),
        _op(_EQUAL, _PRCTL[column], 0, len(_PRCTL_OPTIONS) + 3), _op(_LOAD, 16),
        *[_op(_EQUAL, option, len(_PRCTL_OPTIONS) - i) for i, option in enumerate(_PRCTL_OPTIONS)],
        _op(_RETURN, _ERRNO | _EPERM), _op(_RETURN, _ALLOW),
    ]  # fmt: skip
    return b"".join(program) + _search(allowed)


def no_children_filter(threads: bool, machine: str = "") -> bytes:
    """Second filter for each candidate where no PID namespace ends its children: no processes, no signals, no prctl.

    `threads`: clone stays allowed with the flag that makes a thread.
    """
    known = _ARCHITECTURES.get(machine or platform.machine())
    if known is None:
        return b""
    denied = [_PRCTL[known[0]], *[_BASE[name][known[0]] for name in ("fork", "vfork", "kill")]]
    present = [number for number in denied if number is not None]
    tests = [_op(_EQUAL, number, len(present) - i + 5) for i, number in enumerate(present)]
    clone = _BASE["clone"][known[0]] or 0
    program = [_op(_LOAD, 0), *tests, _op(_EQUAL, clone, 0, 4), _op(_LOAD, 16)]
    program += [_op(_ANY_BIT, _THREAD if threads else 0, 0, 1), _op(_RETURN, _ALLOW), _op(_RETURN, _ERRNO | _EPERM)]
    return b"".join(program) + _op(_RETURN, _ALLOW) + _op(_RETURN, _ERRNO | _EPERM)
