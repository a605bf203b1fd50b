"""A program that a command waits for ends with the command, whatever ends that."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

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
    child = int(told.read_text())
    os.kill(parent.pid, number)
    parent.wait()
    end = time.monotonic() + 20
    while runs(child) and time.monotonic() < end:
        time.sleep(0.05)
    assert not runs(child)


def test_its_exit_code_is_told(root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, "import sys; sys.exit(7)", str(tmp_path)]
    assert subprocess.run(command, cwd=root, check=False).returncode == 7
