"""A program that a command starts and waits for: it does not outlive the command, whatever ends that."""

import ctypes
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from codepref.errors import Terminated

KILLED = 128 + signal.SIGKILL
PATIENCE_S = 30
"""How long a program that was told to end may take over its last line."""
_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def finished(command: Sequence[str], *, output: Any = None, environment: Mapping[str, str] | None = None) -> int:
    """Exit code of a program, once it has ended; of one that a signal has ended 128 and its number, as in shells.

    Args:
        command: The program and its arguments.
        output: File for its standard output; None: that of this process.
        environment: Of the program; None: that of this process.

    Raises:
        KeyboardInterrupt: this process was told to end, and the program has ended too. Ctrl-C reaches every program
            of a terminal; SIGTERM reaches one, which passes it on. After SIGKILL the system passes SIGTERM on (Linux).
    """
    # one call of a loaded library after the fork, which takes no lock
    bound = functools.partial(_end_with_parent, os.getpid())
    program = subprocess.Popen(command, stdout=output, env=environment, preexec_fn=bound)  # noqa: PLW1509
    try:
        code = program.wait()
        return code if code >= 0 else 128 - code
    except KeyboardInterrupt as why:
        if isinstance(why, Terminated):
            program.terminate()
        _wait(program)
        raise


def ending(code: int) -> str:
    """How a program has ended, in words.

    Args:
        code: Its exit code.
    """
    if code == KILLED:
        return "was killed (SIGKILL), as the system does where memory runs out"
    return f"failed with exit code {code}"


def _wait(program: "subprocess.Popen[bytes]") -> None:
    for insist in (program.terminate, program.kill):
        try:
            program.wait(PATIENCE_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            insist()
        else:
            return
    program.wait()


def _end_with_parent(parent: int) -> None:
    if _libc is not None:
        _libc.prctl(_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it has ended before the system was told
            os._exit(128 + signal.SIGTERM)
