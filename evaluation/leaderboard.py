"""Published scores of known models, and how far a run is from them.

references.json names for every score where it is from and when it was read; a distance beyond the tolerance says that
prompt, extraction, model precision or grading differ, not that a model got better.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("references.json")


def known(benchmark: str, model: str | None, window: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """The published score of a model (by its name on the Hub, in any case) on the tasks of these days, or None."""
    content: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    scores: list[dict[str, Any]] = content["scores"]
    name = (model or "").rstrip("/").lower()
    same = (entry for entry in scores if entry["benchmark"] == benchmark and entry.get("window") == window)
    return next((entry for entry in same if entry["model"].lower() == name), None)


def distance_notes(found: Mapping[str, Any]) -> list[str]:
    """One line with the distance of a run from the published score of its model, where there is one."""
    entry = known(found["benchmark"], found.get("model"), found.get("window")) if not found.get("adapter") else None
    if entry is None or "pass@1" not in found["score"]:
        return []
    here, there = 100 * found["score"]["pass@1"]["value"], entry["pass@1"]
    distance = here - there
    verdict = "within" if abs(distance) <= entry["tolerance"] else "BEYOND"
    return [
        f"Published pass@1 {there:.1f} ({entry['source']}, read {entry['read']}); here {here:.1f}, distance "
        f"{distance:+.1f} points, {verdict} the tolerance of {entry['tolerance']:.1f}."
    ]
