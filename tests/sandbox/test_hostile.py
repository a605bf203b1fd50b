"""Hostile and honest programs against the real engine, in both profiles and two lanes, as this user and as `nobody`.

Every program must get one of the verdicts its header allows; afterwards no process, file, signal or connection of it
may be left, an honest program must still be judged right, and the secret laid out for it must not come back.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import product
from pathlib import Path

import pytest

import codepref

sys.path.insert(0, str(Path(__file__).parent))  # the runner is a program of its own, also for users who see little else
from hostile_programs import EXPECT, Program, parse, programs

pytestmark = pytest.mark.long

HERE = Path(__file__).parent
PROGRAMS = programs()
DROP = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
COMBINATIONS = [("self", *rest) for rest in product(["function", "library"], ["fast", "strict"])]
if os.getuid() == 0:
    COMBINATIONS += [("nobody", "function", "fast"), ("nobody", "library", "strict")]
STARTS_ITSELF = (
    "import subprocess, sys; sys.exit(sys.version_info < (3, 11) or subprocess.call([sys.executable, '-V']))"
)
WORDS = {"passed", "failed", "timeout", "memory", "output", "crashed", "unjudged", "passed in official mode"}
Report = dict[str, list[str]]


def unprivileged_python() -> str | None:
    """An interpreter that `nobody` can start: the one in use may lie below a closed home folder."""
    for python in (sys.executable, shutil.which("python3"), "/usr/bin/python3", "/usr/local/bin/python3"):
        probe = [*DROP, python, "-c", STARTS_ITSELF]
        if (
            python
            and shutil.which("setpriv")
            and subprocess.run(probe, capture_output=True, check=False).returncode == 0
        ):
            return python
    return None


def run(folder: Path, user: str, profile: str, lane: str, *more: str) -> Report:
    """Run all programs in one combination; raises RuntimeError with the runner's own words when it breaks down."""
    python = unprivileged_python() if user == "nobody" else sys.executable
    if python is None:
        pytest.skip("no interpreter that an ordinary user can start")
    command = [python, "-B", str(folder / "hostile_runner.py"), "--profile", profile, "--lane", lane, *more]
    done = subprocess.run(
        DROP * (user == "nobody") + command,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        check=False,
        text=True,
        timeout=600,
        start_new_session=True,  # a signal to the runner's group must not end the test session
    )
    if done.returncode:
        raise RuntimeError(f"runner ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the engine and the programs that every user may read."""
    folder = Path("/tmp") / f"codepref-hostile-{os.getpid()}"
    shutil.copytree(Path(codepref.__file__).parent, folder / "codepref", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(HERE / "hostile", folder / "hostile")
    for name in ("hostile_runner.py", "hostile_programs.py"):
        shutil.copy(HERE / name, folder)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def reports(folder: Path) -> Iterator[dict[tuple[str, ...], Future[Report]]]:
    """The reports of all combinations, two of them running at a time."""
    with ThreadPoolExecutor(2) as pool:
        yield {key: pool.submit(run, folder, *key) for key in COMBINATIONS}


@pytest.mark.parametrize("key", COMBINATIONS, ids="-".join)
@pytest.mark.parametrize("name", [*(program.name for program in PROGRAMS), "(end)"])
def test_program(name: str, key: tuple[str, ...], reports: dict[tuple[str, ...], Future[Report]]) -> None:
    problems = reports[key].result()[name]
    assert not problems, "\n".join(problems)


def test_attacks_are_real(folder: Path) -> None:
    """Where nothing protects, the programs do forge and do leak: a battery of duds would prove nothing."""
    report = run(folder, "self", "function", "fast", "--unprotected")
    forged = {name for name in report if name.startswith("forge_") and report[name]}
    leaked = {name for name in report if name.startswith("leak_") and report[name]}
    assert len(forged) >= 30, sorted(forged)
    assert len(leaked) >= 12, sorted(leaked)
    assert not [name for name in report if name.startswith("honest_") and report[name]]


def test_enough_programs() -> None:
    honest = [program for program in PROGRAMS if program.purpose.startswith("honest")]
    assert len(honest) >= 15
    assert len(PROGRAMS) - len(honest) >= 60


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_header(program: Program) -> None:
    assert program.purpose.startswith(("attack: ", "honest: "))
    assert program.tests
    for (number, _), sets in program.expect.items():
        assert number <= len(program.tests)
        assert len(sets) in (1, len(program.codes))
        assert frozenset.union(*sets) <= WORDS
    for i, j in product(range(len(program.codes)), range(len(program.tests))):
        assert program.allowed(i, j, "function")
        assert program.allowed(i, j, "library")


def test_bad_header_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text("# attack: something\n# test: assert f(1) == 2\n# expct: failed\n\ndef f(x): pass\n")
    with pytest.raises(ValueError, match=r"bad\.py:3: not a header line: '# expct: failed'"):
        parse(path)
    assert EXPECT.match("expect 2 in library")
