"""What every page of a run is made of: its records, and the way from a template to HTML that needs nothing else."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codepref import templates
from codepref.errors import CodeprefError
from codepref.report import chart
from codepref.report.side_by_side import aligned

LONGEST = 4000
"""Characters of a program, prompt or test that the page shows."""
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that would not be seen, would turn the text around them, or can not be written."""


@dataclass(frozen=True)
class ShownShare:
    """A share or a difference of shares with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ShownStep:
    """One step of the run."""

    name: str
    seconds: float
    folder: str | None


@dataclass(frozen=True)
class Curve:
    """Logged points (optimiser step, value) of one training, by what was logged."""

    name: str
    title: str
    lines: tuple[tuple[str, tuple[tuple[float, float], ...]], ...]


def read_curves(root: Path, adapters: Mapping[str, str]) -> tuple[Curve, ...]:
    """The curves of the trainings below `root` that left a manifest.

    Args:
        root: Folder of the run.
        adapters: Folder -> title.

    Raises:
        CodeprefError: a manifest is damaged.
    """
    made = []
    for name, title in adapters.items():
        path = root / name / "manifest.json"
        try:
            found = json.loads(path.read_text(encoding="utf-8"))["result"].get("curve") if path.exists() else None
            lines = [_line(line, points) for line, points in (found or {}).items() if points]
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise CodeprefError(f"{path}: damaged ({type(error).__name__}: {error}); train again") from None
        if lines:
            made.append(Curve(name, title, tuple(lines)))
    return tuple(made)


def _line(name: str, points: Sequence[Sequence[float]]) -> tuple[str, tuple[tuple[float, float], ...]]:
    """A line of a curve; raises ValueError where a point is none."""
    return name, tuple((x, y) for x, y in points)


def rendered(template: str, **values: Any) -> str:
    """A page from a template of model_cards/: no character in it is hidden, or turns the text around it."""
    environment = templates.environment(autoescape=True)
    environment.globals.update(chart=chart, aligned=aligned)
    environment.filters.update(cut=_cut, share=_share, points=_points, duration=_duration, signed=_signed)
    text = environment.get_template(template).render(**values)
    return _HIDDEN.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def _cut(text: str) -> str:
    more = len(text) - LONGEST
    return text if more <= 0 else f"{text[:LONGEST]}\n... and {more:,} characters more"


def _share(value: float) -> str:
    """0.5 as per cent, the number and the sign on one line."""
    return f"{100 * value:.1f}\u00a0%"


def _points(value: float) -> str:
    return f"{100 * value:.1f}"


def _signed(value: float) -> str:
    """A difference of shares in points, with a true minus sign."""
    return f"{100 * value:+.1f}".replace("-", "\u2212")


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f}\u00a0s" if seconds < 10 else f"{whole}\u00a0s"
    return f"{whole // 60}\u00a0min\u00a0{whole % 60:02d}\u00a0s"
