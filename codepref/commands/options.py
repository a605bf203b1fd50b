"""What several commands' options share."""

import argparse
import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
CONFIGS = _PACKAGE.parent / "builders" / "configs"
RECIPES = next(p for p in (_PACKAGE / "recipes", _PACKAGE.parent / "recipes") if p.is_dir())


def methods() -> list[str]:
    """Names of the methods: those that have configurations."""
    return sorted(path.name for path in CONFIGS.iterdir() if path.is_dir())


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def positive(text: str) -> int:
    """A whole number of 1 or more, for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value
