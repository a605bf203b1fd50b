"""The filter programs, run by a small interpreter of classic BPF."""

import struct

import pytest

from codepref.sandbox import seccomp

ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
X86_64, AARCH64 = 0xC000003E, 0xC00000B7


def run(program, number, architecture, *arguments):
    """What the kernel would answer to a system call with this number and these arguments, the others 0."""
    data = struct.pack("<iIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    code = [struct.unpack("HBBI", program[i : i + 8]) for i in range(0, len(program), 8)]
    accumulator, at = 0, 0
    while True:
        operation, if_true, if_false, k = code[at]
        at += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, k)
        elif operation == 0x06:
            return k
        else:
            if operation == 0x54:
                accumulator &= k
                continue
            holds = {0x15: accumulator == k, 0x35: accumulator >= k, 0x45: bool(accumulator & k)}[operation]
            at += if_true if holds else if_false


@pytest.mark.parametrize("library", [False, True])
@pytest.mark.parametrize(("machine", "architecture", "column"), [("x86_64", X86_64, 0), ("aarch64", AARCH64, 1)])
def test_exactly_the_listed_calls_are_allowed(library, machine, architecture, column):
    program = seccomp.candidate_filter(library, machine)
    listed = seccomp._BASE | (seccomp._LIBRARY if library else {})
    allowed = {both[column] for both in listed.values()} - {None}
    special = {seccomp._CLONE3, *(listed[name][column] for name in seccomp._ARGUMENTS if name in listed)}
    for number in set(range(500)) - special:
        assert run(program, number, architecture) == (ALLOW if number in allowed else EPERM), number
    assert run(program, seccomp._CLONE3, architecture) == ENOSYS
    assert run(program, 0, architecture ^ 1) == KILL
    assert run(program, 0x40000000, architecture) == KILL


@pytest.mark.parametrize(
    ("name", "passes", "refused"),
    [
        ("clone", (0x01200011,), (0x01200011 | 0x10000000,)),  # a user namespace
        ("prctl", (1,), (8,)),
        ("prlimit64", (0, 7), (4711, 7)),
        ("fcntl", (0, 1), (0, 1024)),  # F_SETLEASE
        ("fcntl", (0, 3), (0, 8)),  # F_SETOWN
        ("ioctl", (0, 0x5421), (0, 0x5412)),  # TIOCSTI
        ("socketpair", (1, 1 | 0o2000000), (1, 2)),  # datagrams
        ("socketpair", (1, 1), (2, 1)),
        ("getpriority", (0, 0), (0, 1)),
    ],
)
def test_arguments(name, passes, refused):
    program = seccomp.candidate_filter(False, "x86_64")
    number = seccomp._BASE[name][0]
    assert run(program, number, X86_64, *passes) == ALLOW
    assert run(program, number, X86_64, *refused) == EPERM


def test_only_the_library_profile_sets_its_own_affinity():
    assert run(seccomp.candidate_filter(False, "x86_64"), 203, X86_64, 0) == EPERM
    assert run(seccomp.candidate_filter(True, "x86_64"), 203, X86_64, 0) == ALLOW
    assert run(seccomp.candidate_filter(True, "x86_64"), 203, X86_64, 1) == EPERM


@pytest.mark.parametrize("threads", [False, True])
def test_a_lonely_candidate_has_no_children_and_changes_no_file_by_name(threads):
    program = seccomp.lonely_filter(threads, "x86_64")
    assert run(program, 56, X86_64, 0x01200011) == EPERM
    assert run(program, 56, X86_64, 0x003D0F00) == (ALLOW if threads else EPERM)
    refused = [57, 58, 157, *(seccomp._LIBRARY[name][0] for name in ("chmod", "fchmod", "utimensat", "truncate"))]
    assert {run(program, number, X86_64) for number in refused} == {EPERM}
    assert run(program, 0, X86_64) == ALLOW
    for kill in (62, 234):
        assert run(program, kill, X86_64, seccomp.OWN_PID) == ALLOW
        assert run(program, kill, X86_64, 1) == EPERM
    assert run(program, 257, X86_64, 0, 0, 0o1000) == EPERM  # O_RDONLY | O_TRUNC
    assert run(program, 257, X86_64, 0, 0, 0o1001) == ALLOW


def test_threads_are_no_processes():
    program = seccomp.thread_filter("x86_64")
    assert run(program, 56, X86_64, 0x003D0F00) == ALLOW
    assert {run(program, 56, X86_64, 0x01200011), run(program, 57, X86_64), run(program, 58, X86_64)} == {EPERM}


def test_unknown_machine_has_no_filter():
    assert seccomp.candidate_filter(False, "pdp11") == b""
    assert seccomp.lonely_filter(False, "pdp11") == b""
