"""`codepref doctor`: what this machine offers, and what to do about what is missing."""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from codepref import __version__
from codepref.commands.options import gpus
from codepref.sandbox import probe

EXTRAS = {"train": ("torch", "trl", "peft", "bitsandbytes"), "ray": ("ray",), "s3": ("s3fs",), "tracking": ("trackio",)}


@dataclass(frozen=True)
class Check:
    """One line of the report."""

    topic: str
    ok: bool
    what: str
    remedy: str = ""
    required: bool = False
    """Whether codepref can not work without it."""

    def __str__(self) -> str:
        line = f"{'ok' if self.ok else 'missing':<8} {self.topic:<14} {self.what}"
        return line if self.ok or not self.remedy else f"{line} -> {self.remedy}"


def add_arguments(_: argparse.ArgumentParser) -> None:
    """There are none."""


def run(_: argparse.Namespace) -> int:
    """Prints the report; 1 when something is missing that codepref can not work without, else 0."""
    print(f"codepref {__version__}, Python {sys.version.split()[0]} ({sys.executable})")
    broken = False
    for finding in findings():
        print(finding)
        broken |= finding.required and not finding.ok
    return int(broken)


def findings() -> Iterator[Check]:
    """Everything the report says, in order."""
    yield from _machine()
    yield from _sandbox()
    yield from _interpreters()
    yield from _packages()
    yield from _gpu()
    yield _token()


def _machine() -> Iterator[Check]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    yield Check("machine", True, f"{cores} cores, {_memory_gib():.0f} GiB memory, {free:.0f} GiB free disk here")


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _sandbox() -> Iterator[Check]:
    here = probe()
    run = f"one passing and one failing cell judged, start {here.start_s:.2f} s; layers: {', '.join(here.layers)}"
    yield Check("sandbox", here.works, run if here.works else "no cell could be run", here.problem, required=True)
    namespaces = ("user", "pid", "mount", "net")
    allowed = "allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1), or run as root"
    for name in namespaces:
        yield Check("isolation", getattr(here, f"{name}_namespace"), f"{name} namespace", allowed)
    yield Check("isolation", here.landlock_abi > 0, f"Landlock (ABI {here.landlock_abi})", "needs Linux 5.13 or newer")
    yield Check("isolation", here.seccomp, "seccomp filter", "needs Linux on x86-64 or arm64")
    yield Check("isolation", here.no_new_privs, "no_new_privs", "needs Linux 3.5 or newer")
    yield Check("isolation", here.rlimits, "resource limits")


def _interpreters() -> Iterator[Check]:
    """Other interpreters of this machine, one a minor version, each proven by running two cells for real."""
    for (major, minor), path in sorted(_pythons().items()):
        found = probe(path)
        yield Check("interpreter", found.works, f"Python {major}.{minor} ({path})", found.problem)


def _pythons() -> dict[tuple[int, int], str]:
    """Interpreters other than this one, from 3.8 on: those on the path, of pyenv and of uv."""
    on_path = [path for minor in range(8, 16) if (path := shutil.which(f"python3.{minor}"))]
    folders = (Path.home() / ".pyenv" / "versions", Path.home() / ".local" / "share" / "uv" / "python")
    kept = [str(path) for folder in folders for path in sorted(folder.glob("*/bin/python3"))]
    found: dict[tuple[int, int], str] = {sys.version_info[:2]: sys.executable}
    for path in on_path + kept:
        ask = [path, "-I", "-c", "import sys; print(*sys.version_info[:2])"]
        answer = subprocess.run(ask, capture_output=True, text=True, check=False)
        if answer.returncode == 0 and (version := _pair(answer.stdout)) >= (3, 8):
            found.setdefault(version, path)
    del found[sys.version_info[:2]]
    return found


def _pair(text: str) -> tuple[int, int]:
    major, minor = text.split()
    return int(major), int(minor)


def _packages() -> Iterator[Check]:
    base = ("datasets", "huggingface_hub", "pyarrow", "openai")
    yield from (_package(name, "base", required=True) for name in base)
    for extra, names in EXTRAS.items():
        yield from (_package(name, extra) for name in names)


def _package(name: str, extra: str, required: bool = False) -> Check:
    if importlib.util.find_spec(name) is None:
        install = f'.venv/bin/python -m pip install -e ".[{extra}]" -c constraints.txt'
        remedy = "run make quickstart again" if required else f"only for {extra}: {install}"
        return Check("package", False, name, remedy, required)
    try:
        return Check("package", True, f"{name} {version(name)}")
    except PackageNotFoundError:
        return Check("package", True, name)


def _gpu() -> Iterator[Check]:
    devices = gpus()
    for device in devices:
        model = next((line for line in device.read_text().splitlines() if line.startswith("Model:")), "Model: NVIDIA")
        yield Check("gpu", True, model.partition(":")[2].strip())
    if not devices:
        yield Check("gpu", False, "no NVIDIA GPU", "only needed for training and local generation at speed")


def _token() -> Check:
    from huggingface_hub import get_token

    if get_token() is not None:
        return Check("hub token", True, "found (its rights are checked when you publish)")
    return Check("hub token", False, "none", "only needed for publishing and gated repositories: hf auth login")
