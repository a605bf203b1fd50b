"""The filter programs, run by a small interpreter of classic BPF."""

import struct

import pytest

from codepref.sandbox import seccomp

ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
X86_64, AARCH64 = 0xC000003E, 0xC00000B7


def run(program, number, architecture, argument=0):
    """What the kernel would answer to a system call with this number and first argument."""
    data = struct.pack("<iIQQ", number, architecture, 0, argument)
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
            holds = {0x15: accumulator == k, 0x35: accumulator >= k, 0x45: bool(accumulator & k)}[operation]
            at += if_true if holds else if_false


@pytest.mark.parametrize("library", [False, True])
@pytest.mark.parametrize(("machine", "architecture", "column"), [("x86_64", X86_64, 0), ("aarch64", AARCH64, 1)])
def test_exactly_the_listed_calls_are_allowed(library, machine, architecture, column):
    program = seccomp.candidate_filter(library, machine)
    listed = seccomp._BASE | (seccomp._LIBRARY if library else {})
    allowed = {both[column] for both in listed.values()} - {None}
    special = {seccomp._CLONE3, seccomp._PRCTL[column]}
    for number in set(range(500)) - special:
        assert run(program, number, architecture) == (ALLOW if number in allowed else EPERM), number
    assert run(program, seccomp._CLONE3, architecture) == ENOSYS
    assert run(program, 0, architecture ^ 1) == KILL
    assert run(program, 0x40000000, architecture) == KILL


def test_arguments_of_clone_and_prctl():
    program = seccomp.candidate_filter(False, "x86_64")
    fork, user_namespace = 0x01200011, 0x10000000
    assert run(program, 56, X86_64, fork) == ALLOW
    assert run(program, 56, X86_64, fork | user_namespace) == EPERM
    assert run(program, 157, X86_64, 1) == ALLOW
    assert run(program, 157, X86_64, 8) == EPERM


def test_no_children():
    for threads in (False, True):
        program = seccomp.no_children_filter(threads, "x86_64")
        assert run(program, 56, X86_64, 0x01200011) == EPERM
        assert run(program, 56, X86_64, 0x003D0F00) == (ALLOW if threads else EPERM)
        assert [run(program, number, X86_64) for number in (57, 58, 62, 157)] == [EPERM] * 4
        assert run(program, 0, X86_64) == ALLOW


def test_unknown_machine_has_no_filter():
    assert seccomp.candidate_filter(False, "pdp11") == b""
    assert seccomp.no_children_filter(False, "pdp11") == b""
