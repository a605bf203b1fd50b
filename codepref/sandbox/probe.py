"""What this machine offers for isolation, and whether an interpreter really runs a cell: for `codepref doctor`."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass

from codepref.sandbox import isolation, seccomp
from codepref.sandbox.base import Job, SandboxUnavailable
from codepref.sandbox.supervisor import Sandbox

_TESTS = ("assert f(1) == 2", "assert f(1) == 3")
_CODES = (
    "def f(x):\n    return x + 1\n",
    "class K:\n    pass\ndef f(x):\n    return x + 1\n",  # a class is made: it gets a process of its own
)
_JOB = Job("probe", _CODES, _TESTS, "f")
_FLAGS = {"user": 0x10000000, "pid": 0x20000000, "mount": 0x20000, "net": 0x40000000}


@dataclass(frozen=True)
class Probe:
    """Primitives of the kernel, each tried in a process of its own, and the outcome of four cells run for real."""

    user_namespace: bool
    pid_namespace: bool
    mount_namespace: bool
    net_namespace: bool
    seccomp: bool
    landlock_abi: int
    """0: not available."""
    no_new_privs: bool
    rlimits: bool
    python: str
    layers: tuple[str, ...]
    """Layers in force while the cells ran; empty if they could not."""
    works: bool
    """True if the passing cells passed and the failing ones failed, in a shared process and in one of their own."""
    start_s: float
    """Seconds from nothing to a sandbox that answers."""
    problem: str
    """One line with a remedy; empty if all is well."""


def probe(python: str | None = None) -> Probe:
    """Tries everything. Never raises for what is missing."""
    linux = sys.platform == "linux"
    have = {name: linux and _can_unshare(flag) for name, flag in _FLAGS.items()}
    layers, works, start_s, problem = _really_run(python)
    return Probe(
        user_namespace=have["user"],
        pid_namespace=have["pid"],
        mount_namespace=have["mount"],
        net_namespace=have["net"],
        seccomp=linux and bool(seccomp.candidate_filter(False)) and _try("prctl(21, 0, 0, 0, 0)"),
        landlock_abi=isolation.landlock_abi() if linux else 0,
        no_new_privs=linux and _try("prctl(38, 1, 0, 0, 0)"),
        rlimits=True,
        python=python or sys.executable,
        layers=layers,
        works=works,
        start_s=start_s,
        problem=problem,
    )


def _try(call: str) -> bool:
    """True if a call of the C library succeeds in a process of its own."""
    script = f"import ctypes, sys; sys.exit(ctypes.CDLL(None).{call} < 0)"
    command = [sys.executable, "-I", "-S", "-c", script]
    return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode == 0


def _can_unshare(flag: int) -> bool:
    """An ordinary user gets the other namespaces only within a user namespace."""
    return _try(f"unshare({flag if os.geteuid() == 0 else flag | _FLAGS['user']})")


def _really_run(python: str | None) -> tuple[tuple[str, ...], bool, float, str]:
    begin = time.monotonic()
    try:
        with Sandbox(python=python) as sandbox:
            start_s = time.monotonic() - begin
            cells = [cell for row in sandbox.run(_JOB).cells for cell in row]
            layers = sandbox.layers
    except SandboxUnavailable as error:
        return (), False, time.monotonic() - begin, str(error)
    verdicts = [cell.verdict for cell in cells]
    works = verdicts == ["passed", "failed"] * len(_CODES)
    if works:
        return layers, True, start_s, ""
    reason = next((cell.error for cell in cells if cell.verdict not in ("passed", "failed")), "")
    problem = (
        f"a passing and a failing cell, in a shared process and in one of their own, were judged {', '.join(verdicts)}"
    )
    return layers, False, start_s, f"{problem} ({reason})" if reason else problem
