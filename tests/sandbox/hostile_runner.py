"""Runs every hostile program in one sandbox and prints what went wrong, as JSON: {"program": ["problem", ...]}.

    python hostile_runner.py --profile function --lane fast [--only NAME ...] [--verbose]

Needs the standard library and codepref.sandbox alone, so that it also runs as a user who can read little else.
Around the sandbox it lays out what an attacker would like to have (`World`): a private file, a secret in the
environment and on an inheritable descriptor, servers that tell the secret to whoever connects, an innocent process.
"""

import argparse
import contextlib
import ctypes
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from hostile_programs import Program, fill, programs

from codepref.sandbox import VERDICTS, Job, Limits, Matrix, Sandbox

LIMITS = Limits(cpu_s=0.4, load_s=1.0, wall_s=1.5, memory_mb=512)
PING = Job("ping", ("def f(x):\n    return x + 1\n",), ("assert f(1) == 2", "assert f(2) == 2"), "f")
WARM = Job(
    "warm",
    ("import math\ndef f(x):\n    return x + 1\n", "class A: pass\ndef f(x):\n    return A()\n"),
    (
        "assert f(1) == 2",
        "for n in range(2):\n    assert f(n) == n + 1",
        "assert f(1) == len('ab')",
        "import unittest\nfor n in range(2):\n    assert f(n) == n + 1",
    ),
    "f",
)
BYSTANDER = """
import signal, sys
signal.signal(signal.SIGWINCH, lambda *_: print("signalled", flush=True))
print("ready", flush=True)
for line in sys.stdin:
    print("alive", flush=True)
"""
SETTLE_S = 5.0
"""How long a process may take to disappear after its verdict was given, in wall seconds."""


class World:
    """What surrounds the sandbox; `problems()` tells what has happened to it since the last question."""

    def __init__(self, folder: Path) -> None:
        self.secret = f"secret-{secrets.token_hex(16)}"
        self.mark = f"codepref-hostile-{secrets.token_hex(4)}"
        self.home, self.cwd, self.scratch = folder / "home", folder / "cwd", folder / "scratch"
        self.scratch.mkdir()
        self.files = {
            self.home / ".secret": self.secret,
            self.cwd / "bystander.txt": "kept",
            self.cwd / "bystander_module.py": f"SECRET = {self.secret!r}\n",
        }
        self._lay_out()
        os.set_inheritable(os.open(self.home / ".secret", os.O_RDWR), True)
        os.environ.update(CODEPREF_TEST_SECRET=self.secret, HOME=str(self.home), TMPDIR=str(self.scratch))
        tempfile.tempdir = None
        os.chdir(self.cwd)
        self.contacts: list[str] = []
        self.reported: set[Path] = set()
        self.port = self._serve()
        self.bystander = subprocess.Popen(
            [sys.executable, "-I", "-c", BYSTANDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.bystander.stdout.readline()

    def _lay_out(self) -> None:
        for path, text in self.files.items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            path.chmod(0o600)

    def _serve(self) -> int:
        """Start servers of every kind that tell the secret to whoever connects; returns their port number."""
        inet = socket.create_server(("127.0.0.1", 0))  # also reached over IPv6 as ::ffff:127.0.0.1
        port = inet.getsockname()[1]
        unix, abstract = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        unix.bind(str(self.home / "socket"))
        abstract.bind(f"\0{self.mark}")
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind(("127.0.0.1", port))
        self.datagrams.setblocking(False)
        for name, server in (("inet", inet), ("unix", unix), ("abstract", abstract)):
            server.listen()
            threading.Thread(target=self._answer, args=(name, server), daemon=True).start()
        return port

    def _answer(self, name: str, server: socket.socket) -> None:
        while True:
            connection, _ = server.accept()
            self.contacts.append(name)
            with connection, contextlib.suppress(OSError):
                connection.sendall(self.secret.encode())

    def particulars(self) -> dict[str, str]:
        """Replacements for the @WORDS@ of the programs."""
        return {
            "SECRET": self.secret,
            "SECRET_FILE": str(self.home / ".secret"),
            "HOME": str(self.home),
            "CWD": str(self.cwd),
            "MARK": self.mark,
            "PORT": str(self.port),
            "SOCKET": str(self.home / "socket"),
            "ABSTRACT": self.mark,
            "BYSTANDER": str(self.bystander.pid),
            "SUPERVISOR": str(os.getpid()),
        }

    def problems(self) -> list[str]:
        """What the programs did to the world: contacts, signals, changed and left files."""
        found = [f"reached the {name} server" for name in self.contacts]
        self.contacts.clear()
        with contextlib.suppress(BlockingIOError):
            found.append(f"sent a datagram: {self.datagrams.recv(100)!r}")
        self.bystander.stdin.write("?\n")
        self.bystander.stdin.flush()
        while (line := self.bystander.stdout.readline().strip()) != "alive":
            found.append("the bystander was signalled" if line else "the bystander was killed")
            if not line:
                break
        found += [f"changed {path}" for path, text in self.files.items() if not self._intact(path, text)]
        left = set(self._left()) - self.reported
        self.reported |= left
        found += [f"left {path}" for path in sorted(left)]
        if found:
            self._lay_out()
        return found

    def close(self) -> None:
        """End the bystander and leave the folder."""
        self.bystander.kill()
        self.bystander.wait()
        os.chdir("/")

    @staticmethod
    def _intact(path: Path, text: str) -> bool:
        return path.exists() and path.stat().st_mode & 0o777 == 0o600 and path.read_bytes() == text.encode()

    def _left(self) -> Iterator[Path]:
        expected = {*self.files, self.home / "socket"}
        for folder in (self.home, self.cwd):
            if folder.is_dir():
                yield from set(folder.iterdir()) - expected
        for folder in {Path(p) for p in ("/tmp", "/dev/shm", "/var/tmp", "/", "/etc", "/root", *sys.path, sys.prefix)}:
            if folder.is_dir() and os.access(folder, os.R_OK):
                yield from (path for path in folder.iterdir() if self.mark in path.name)


def descendants(root: int) -> set[int]:
    """All processes below `root`. As it adopts orphans (see `main`), a daemon can not hide from this."""
    parents = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found, fresh = set(), {root}
    while fresh:
        fresh = {pid for pid, parent in parents.items() if parent in fresh}
        found |= fresh
    return found


def settle(allowed: int, ignore: int) -> int:
    """Wait until at most `allowed` processes are below this one; returns how many are too many."""
    end = time.monotonic() + SETTLE_S
    while True:
        with contextlib.suppress(ChildProcessError):
            while os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                break
        over = len(descendants(os.getpid()) - {ignore}) - allowed
        if over <= 0 or time.monotonic() > end:
            return max(over, 0)
        time.sleep(0.02)


def wrong_cells(program: Program, matrix: Matrix, profile: str, secret: str) -> Iterator[str]:
    """Cells whose verdict the program's header does not allow, and cells that carry the secret."""
    shape = [len(row) for row in matrix.cells]
    if shape != [len(program.tests)] * len(program.codes):
        yield f"matrix of the wrong shape: {shape}"
        return
    for i, row in enumerate(matrix.cells):
        for j, cell in enumerate(row):
            words = {cell.verdict, f"{cell.verdict} in {cell.mode} mode"}
            allowed = program.allowed(i, j, profile)
            if cell.verdict not in VERDICTS or not words & allowed:
                yield (
                    f"candidate {i + 1}, test {j + 1}: {cell.verdict} ({cell.mode}; {cell.error[:120]!r}), "
                    f"allowed: {' or '.join(sorted(allowed))}"
                )
            if secret in cell.error + cell.fingerprint or "\n" in cell.error:
                yield f"candidate {i + 1}, test {j + 1}: error is not one clean line: {cell.error[:200]!r}"


def check(program: Program, sandbox: Sandbox, world: World, profile: str) -> list[str]:
    """Run one program and list all that is wrong afterwards."""
    idle = len(descendants(os.getpid()) - {world.bystander.pid})
    words = world.particulars()
    codes = tuple(fill(code, words) for code in program.codes)
    tests = tuple(fill(test, words) for test in program.tests)
    try:
        matrix = sandbox.run(Job(program.name, codes, tests, "f"))
        found = list(wrong_cells(program, matrix, profile, world.secret))
    except Exception as error:
        found = [f"the sandbox raised {error!r}"]
    ping = [cell.verdict for cell in sandbox.run(PING).cells[0]]
    if ping != ["passed", "failed"]:
        found.append(f"an honest program afterwards: {ping}")
    if over := settle(idle, world.bystander.pid):
        found.append(f"{over} processes left running")
    return found + world.problems()


def run_unprotected(names: str = "forge_ leak_ honest_") -> dict[str, list[str]]:
    """Run the harmless kinds of programs in a plain interpreter that judges itself; returns the tests that went
    otherwise than a sandbox must say: forged or leaked for attacks, wrong for honest programs."""
    report = {}
    with tempfile.TemporaryDirectory(prefix="codepref-world-") as folder:
        world = World(Path(folder))
        for program in programs():
            if program.name.startswith(tuple(names.split())) and program.name != "leak_symlink":
                report[program.name] = []
                for j, test in enumerate(program.tests):
                    allowed = program.allowed(0, j, "library")
                    if allowed == {"unjudged"}:  # a test that says nothing of the code: a plain interpreter passes it
                        continue
                    verdict = "passed" if plain_subprocess(program.codes[0], test, world) else "failed"
                    if verdict not in allowed:
                        report[program.name].append(test)
                world.problems()  # lays out again what was damaged
        world.close()
    return report


def plain_subprocess(code: str, test: str, world: World) -> bool:
    """The usual grader: one interpreter, exit status 0 means passed."""
    texts = [fill(text, world.particulars()) for text in (code, test)]
    driver = "import json, sys\nspace = {'__name__': 'it'}\nfor text in json.loads(sys.stdin.read()): exec(text, space)"
    command = [sys.executable, "-c", driver]
    with contextlib.suppress(subprocess.TimeoutExpired):
        done = subprocess.run(
            command, input=json.dumps(texts).encode(), capture_output=True, timeout=5, close_fds=False, check=False
        )
        return done.returncode == 0
    return False


def run(profile: str, lane: str, only: list[str], verbose: bool) -> dict[str, list[str]]:
    """Run all programs (or `only` these); returns the problems of each and, as "(end)", those seen after closing."""
    report = {}
    with tempfile.TemporaryDirectory(prefix="codepref-world-") as folder:
        world = World(Path(folder))
        with Sandbox(LIMITS, lane=lane, profile=profile) as sandbox:
            if {cell.verdict for row in sandbox.run(WARM).cells for cell in row} - {"passed", "failed"}:
                raise SystemExit(f"the sandbox can not judge a harmless program: {sandbox.run(WARM)}")
            for program in programs():
                if not only or program.name in only:
                    begun = time.monotonic()
                    report[program.name] = check(program, sandbox, world, profile)
                    if verbose:
                        print(f"{time.monotonic() - begun:6.2f} {program.name}", *report[program.name], sep="\n    ")
        over = settle(0, world.bystander.pid)
        report["(end)"] = [f"{over} processes left after closing"] * bool(over) + world.problems()
        report["(end)"] += [f"left scratch {path}" for path in world.scratch.iterdir()]
        world.close()
    return report


def main() -> None:
    """Run one combination of profile and lane and print the report as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", choices=["function", "library"], default="function")
    parser.add_argument("--lane", choices=["fast", "code", "strict"], default="fast")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--verbose", action="store_true", help="print each program as it is done")
    parser.add_argument("--unprotected", action="store_true", help="run the harmless kinds without any sandbox")
    args = parser.parse_args()
    signal.signal(signal.SIGWINCH, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: orphans become ours, whatever session they made
    if args.unprotected:
        print(json.dumps(run_unprotected()))
        return
    print(json.dumps(run(args.profile, args.lane, args.only, args.verbose)))


if __name__ == "__main__":
    main()
