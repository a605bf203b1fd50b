"""A program that a command waits for ends with the command, whatever ends that."""

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from codepref.commands import child

PARENT = """
import sys
from codepref.errors import Terminated
from codepref.commands.child import finished
import signal
def end(number, frame):
    raise Terminated
signal.signal(signal.SIGTERM, end)
sys.exit(finished([sys.executable, "-c", sys.argv[1], sys.argv[2]]))
"""
SLEEPER = "import os, pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(100)"


def runs(pid: int) -> bool:
    """Whether a process runs: one that has ended but was not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_its_parent(number: signal.Signals, root: Path, tmp_path: Path) -> None:
    told = tmp_path / "pid"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, SLEEPER, str(told)], cwd=root, stderr=subprocess.DEVNULL)
    while not (told.exists() and told.read_text()):
        time.sleep(0.05)
    program = int(told.read_text())
    os.kill(parent.pid, number)
    parent.wait()
    end = time.monotonic() + 20
    while runs(program) and time.monotonic() < end:
        time.sleep(0.05)
    assert not runs(program)


def test_it_does_not_begin_after_its_parent_has_ended() -> None:
    """The system tells a program of its parent's end from the moment on in which it is asked to."""
    gone = functools.partial(child._end_with_parent, 0)
    done = subprocess.run(
        [sys.executable, "-c", "print('begun')"], preexec_fn=gone, stdout=subprocess.PIPE, check=False
    )
    assert (done.returncode, done.stdout) == (143, b"")


def test_a_killed_program_has_the_exit_code_of_shells() -> None:
    code = child.finished([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"])
    assert code == 137
    assert "memory runs out" in child.ending(code)
    assert child.ending(3) == "failed with exit code 3"


def test_its_exit_code_is_told(root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, "import sys; sys.exit(7)", str(tmp_path)]
    assert subprocess.run(command, cwd=root, check=False).returncode == 7
