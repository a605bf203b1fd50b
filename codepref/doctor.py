"""`codepref doctor`: what this machine offers, and what to do about what is missing."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from codepref import __version__

EXTRAS = {"train": ("torch", "trl", "peft", "bitsandbytes"), "ray": ("ray",), "tracking": ("trackio",)}


@dataclass(frozen=True)
class Finding:
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


def main() -> int:
    """Prints the report; 1 when something is missing that codepref can not work without, else 0."""
    print(f"codepref {__version__}, Python {sys.version.split()[0]} ({sys.executable})")
    broken = False
    for finding in findings():
        print(finding)
        broken |= finding.required and not finding.ok
    return int(broken)


def findings() -> Iterator[Finding]:
    """Everything the report says, in order."""
    yield from _machine()
    yield from _packages()
    yield from _gpu()
    yield _token()


def _machine() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    yield Finding("machine", True, f"{cores} cores, {_memory_gib():.0f} GiB memory, {free:.0f} GiB free disk here")


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _packages() -> Iterator[Finding]:
    base = ("datasets", "huggingface_hub", "pyarrow", "openai")
    yield from (_package(name, "base", required=True) for name in base)
    for extra, names in EXTRAS.items():
        yield from (_package(name, extra) for name in names)


def _package(name: str, extra: str, required: bool = False) -> Finding:
    if importlib.util.find_spec(name) is None:
        remedy = (
            "run make quickstart again" if required else f'only needed for {extra}: pip install "codepref[{extra}]"'
        )
        return Finding("package", False, name, remedy, required)
    try:
        return Finding("package", True, f"{name} {version(name)}")
    except PackageNotFoundError:
        return Finding("package", True, name)


def _gpu() -> Iterator[Finding]:
    devices = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    for device in devices:
        model = next((line for line in device.read_text().splitlines() if line.startswith("Model:")), "Model: NVIDIA")
        yield Finding("gpu", True, model.partition(":")[2].strip())
    if not devices:
        yield Finding("gpu", False, "no NVIDIA GPU", "only needed for training and local generation at speed")


def _token() -> Finding:
    from huggingface_hub import get_token

    if get_token() is not None:
        return Finding("hub token", True, "found (its rights are checked when you publish)")
    return Finding("hub token", False, "none", "only needed for publishing and gated repositories: hf auth login")
