"""Says beside a score whether the training data may hold the benchmark."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from codepref.benchmarks import family_of
from codepref.errors import CodeprefError
from evaluation.benchmark import Benchmark, Problem


def contamination_notes(benchmark: Benchmark, problems: Sequence[Problem], manifest: Path | None) -> list[str]:
    """Lines on what a data set's manifest or card says about this benchmark; none without one.

    Raises `CodeprefError` for a file that can not be read.
    """
    if manifest is None:
        return []
    family = family_of(benchmark.name)
    name = family.title if family is not None else benchmark.name
    text = _text(manifest)
    for_measuring = "for measuring only" in text.lower()
    if for_measuring:
        return [f"CONTAMINATED: the training data ({manifest.name}) says that it is for measuring only."]
    seen = [problem.task_id for problem in problems if _holds(text, problem.task_id)]
    if seen:
        return [f"CONTAMINATED: the training data ({manifest.name}) names {len(seen)} tasks of {name}: {seen[0]} ..."]
    if _checked(manifest, name):
        return [f"Contamination: the training data ({manifest.name}) was checked against {name}."]
    return [
        f"Contamination unknown: the training data ({manifest.name}) does not say that it was checked against {name}."
    ]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CodeprefError(
            f"--trained-on {path}: can not be read ({error}); give the manifest or the card of the data"
        ) from None


def _holds(text: str, task_id: str) -> bool:
    return len(task_id) > 4 and (f'"{task_id}"' in text or f"{task_id}\n" in text)


def _checked(path: Path, name: str) -> bool:
    """True if a manifest lists the benchmark among those its prompts were compared with, or a card says so."""
    text = _text(path)
    if path.suffix != ".json":
        return any(name.lower() in line.lower() for line in text.splitlines() if "contamin" in line.lower())
    try:
        content: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise CodeprefError(f"--trained-on {path}, line {error.lineno}: not JSON ({error.msg})") from None
    compared = _titles(content)
    return any(name.lower().replace("-", "") in title.lower().replace("-", "") for title in compared)


def _titles(content: Any) -> list[str]:
    """The benchmarks that a manifest's stages were told to compare prompts with; none in any other JSON."""
    titles: list[str] = []
    stages = content.get("stages") if isinstance(content, dict) else None
    for stage in stages if isinstance(stages, list) else []:
        place: Any = stage
        for key in ("depends", "settings", "benchmarks"):
            place = place.get(key) if isinstance(place, dict) else None
        titles += map(str, place) if isinstance(place, list) else []
    return titles
