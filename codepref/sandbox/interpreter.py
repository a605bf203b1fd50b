"""What a Python interpreter needs to run: its folders, its import path, the libraries of the system."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from codepref.sandbox.base import SandboxUnavailable

# Without -I site-packages of a user or PYTHONPATH would leak into the sandbox.
_QUESTION = (
    "import sys, json, sysconfig; print(json.dumps({'executable': sys.executable, 'version': sys.version_info[:3], "
    "'path': [p for p in sys.path if p], 'base': sys.base_exec_prefix, 'stdlib': sysconfig.get_paths()['stdlib'], "
    "'platstdlib': sysconfig.get_paths()['platstdlib']}))"
)
_SYSTEM = ("/usr/lib", "/usr/lib64", "/usr/lib32", "/lib", "/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo")
_SYSTEM_PREFIXES = ("/", "/usr", "/usr/local")
_PACKAGES = ("site-packages", "dist-packages")


@dataclass(frozen=True)
class Interpreter:
    """A Python interpreter as seen from outside the sandbox."""

    executable: str
    version: tuple[int, ...]
    path: tuple[str, ...]
    read: tuple[str, ...]
    """Real paths to show read-only inside the sandbox."""
    links: tuple[tuple[str, str], ...]
    """Symbolic links to recreate there."""
    home: str = ""
    """Real path of the installation's prefix; empty for the system's own."""


known: dict[str, Interpreter] = {}
"""Answers so far; a pool hands them to its processes."""


def interpreter(python: str) -> Interpreter:
    """Asks `python` about itself, once; raises `SandboxUnavailable` if it can not be run or is older than 3.8."""
    if python in known:
        return known[python]
    command = [python, "-I", "-c", _QUESTION]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=True)
        facts = json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        raise SandboxUnavailable(f"{python} can not be run as a Python interpreter ({error}); pass another") from None
    if tuple(facts["version"]) < (3, 8):
        raise SandboxUnavailable(f"{python} is Python {facts['version']}; the worker needs CPython 3.8 or newer")
    standard = [os.path.realpath(facts[name]) for name in ("stdlib", "platstdlib")]
    entries = [os.path.realpath(entry) for entry in facts["path"] if Path(entry).exists()]
    path = tuple(entry for entry in entries if is_installed(entry, standard))
    executable = os.path.realpath(facts["executable"])
    folders = {executable, *path, *standard}
    base = os.path.realpath(facts["base"])
    if base not in _SYSTEM_PREFIXES:
        folders.add(f"{base}/lib")  # libpython and its companions
    links = []
    for entry in _SYSTEM:
        if Path(entry).is_symlink():
            links.append((entry, str(Path(entry).readlink())))
        elif Path(entry).exists():
            folders.add(entry)
    read = tuple(sorted(folder for folder in folders if Path(folder).exists()))
    home = "" if base in _SYSTEM_PREFIXES else base
    known[python] = Interpreter(executable, tuple(facts["version"]), path, read, tuple(links), home)
    return known[python]


def is_installed(entry: str, standard: list[str]) -> bool:
    """True for an entry of the import path that holds the standard library or installed packages.

    Others are folders of projects, as an editable install adds them, with whatever else is there.
    """
    if entry.endswith(".zip") or Path(entry).name in _PACKAGES:
        return True
    return any(entry == folder or entry.startswith(folder + os.sep) for folder in standard)


def own() -> Interpreter:
    """The interpreter this process runs in, with the package codepref."""
    facts = interpreter(sys.executable)
    package = str(Path(__file__).resolve().parents[1])
    return replace(facts, read=(*facts.read, package))
