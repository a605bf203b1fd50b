"""Interpreters with a benchmark's own libraries: made once by `--prepare`, found again by name.

Each lies in `<cache>/environments/<name>` and holds the versions of `environments/<name>.txt`, whose comment
`# python X.Y` says which Python they need: one found on this machine, or fetched by uv where that is installed.
"""

import contextlib
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from codepref.errors import CodeprefError

PINS = Path(__file__).parent.parent / "environments"
_LIST = (
    "import importlib.metadata as m, json, sys; print(json.dumps({'python': sys.version.split()[0], "
    "**{d.metadata['Name']: d.version for d in m.distributions() if d.metadata['Name']}}))"
)


def python(name: str, cache: Path) -> str:
    """Path of the interpreter; raises `CodeprefError` with the command that makes it."""
    path = cache / "environments" / name / "bin" / "python"
    if not path.exists():
        raise CodeprefError(f"{name} needs an interpreter of its own: run `codepref evaluate --prepare {name}` first")
    return str(path)


def prepare(name: str, cache: Path) -> str:
    """Makes the environment, or completes one; returns the path of its interpreter.

    Raises `CodeprefError` where no suitable Python is found or the installation fails.
    """
    pins = PINS / f"{name}.txt"
    wanted = re.search(r"^# python (\d+\.\d+)$", pins.read_text(encoding="utf-8"), re.MULTILINE)
    version = wanted[1] if wanted else f"{sys.version_info[0]}.{sys.version_info[1]}"
    folder = cache / "environments" / name
    path = folder / "bin" / "python"
    folder.parent.mkdir(parents=True, exist_ok=True)
    uv = shutil.which("uv")
    if not path.exists():
        base = find_python(version)
        if base is None and uv is None:
            raise CodeprefError(
                f"{name} needs Python {version}, which is not on this machine: install it (pyenv, or your "
                "distribution's package), or install uv, which fetches it"
            )
        venv = ["uv", "venv", "--seed", "--python", base or version] if uv else [str(base), "-m", "venv"]
        _run([*venv, str(folder)], f"{name}: the virtual environment can not be made")
    install = (
        [uv, "pip", "install", "--python", str(path)] if uv else [str(path), "-m", "pip", "install", "--prefer-binary"]
    )
    _run([*install, "-r", str(pins)], f"{name}: the libraries can not be installed")
    _corpora(path, pins)
    _run([str(path), "-m", "compileall", "-q", "-j", "0", str(folder)], "", check=False)
    return str(path)


def _corpora(path: Path, pins: Path, index: str | None = None) -> None:
    """Fetches the NLTK data that some tasks read, or says which of it could not be had, and what comes of that.

    Args:
        path: The interpreter, which has nltk.
        pins: File whose comment names the data.
        index: Address of the list of data; None: NLTK's own.
    """
    wanted = re.search(r"^# nltk (.+)$", pins.read_text(encoding="utf-8"), re.MULTILINE)
    if not wanted:
        return
    target = next((path.parent.parent / "lib").glob("python*/site-packages")) / "nltk_data"
    names = missing_corpora(target, wanted[1].split())
    if names:
        where = ["-u", index] if index else []  # quietly: else it asks on the terminal whether to try again
        _run([str(path), "-m", "nltk.downloader", "-q", *where, "-d", str(target), *names], "", check=False)
    missing = missing_corpora(target, names)
    if missing:
        print(
            f"{pins.stem}: NLTK data {', '.join(missing)} could not be fetched; tasks that read it will fail, "
            f"their references are excused. With a network, run `codepref evaluate --prepare {pins.stem}` again.",
            file=sys.stderr,
        )


def missing_corpora(folder: Path, names: list[str]) -> list[str]:
    """The names whose data is not in the folder, unpacked or as NLTK's archive."""
    return [name for name in names if not any((*folder.glob(f"*/{name}"), *folder.glob(f"*/{name}.zip")))]


def find_python(version: str) -> str | None:
    """A Python of that version: on PATH, or among pyenv's."""
    places = [shutil.which(f"python{version}")]
    pyenv = Path.home() / ".pyenv" / "versions"
    places += [str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python"), reverse=True)]
    return next((place for place in places if place and _is(place, version)), None)


def _is(place: str, version: str) -> bool:
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([place, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.strip() == version


def _run(command: list[str], problem: str, check: bool = True) -> None:
    print(f"$ {' '.join(command)}", file=sys.stderr)
    done = subprocess.run(command, check=False)
    if done.returncode and check:
        raise CodeprefError(f"{problem} (exit status {done.returncode}; its messages are above)")


def libraries(interpreter: str | None, names: list[str] | None = None) -> dict[str, str]:
    """Versions of Python and of the libraries of an interpreter, of all or of those named; part of the fingerprint."""
    if interpreter is None and names is not None:
        return {"python": sys.version.split()[0], **_versions(names)}
    done = subprocess.run(
        [interpreter or sys.executable, "-I", "-c", _LIST], capture_output=True, text=True, check=False
    )
    found: dict[str, str] = json.loads(done.stdout) if done.returncode == 0 else {}
    wanted = None if names is None else {name.lower() for name in names} | {"python"}
    return {name: found[name] for name in sorted(found, key=str.lower) if wanted is None or name.lower() in wanted}


def _versions(names: list[str]) -> dict[str, str]:
    """Of libraries of this interpreter, without the second that a process for it would take."""
    found = {}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def pinned(name: str) -> list[str]:
    """Names of the libraries that an environment pins."""
    lines = (PINS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [line.partition("==")[0].strip() for line in lines if "==" in line]
