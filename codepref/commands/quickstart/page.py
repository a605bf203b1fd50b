"""A quickstart run as one HTML page that needs nothing but itself: no network, no script, no other file.

`read` gathers what lies in the run's folder into a `PageContent`, `page` makes HTML of it through
`model_cards/report.html.jinja`, `write` does both. The same folder gives the same bytes.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from codepref.errors import CodeprefError
from codepref.files import write_whole
from codepref.report import facts
from codepref.report.facts import Dataset, ShownMatrix, ShownPair, ShownRepair
from codepref.report.html import Curve, ShownShare, ShownStep, read_curves, rendered

FILE = "quickstart.json"
DATASETS = (("codedpo", "CodeDPO", "correctness"), ("codeflow", "CodeFlow", "pairs"), ("dstc", "DSTC", "dpo"))
"""Folder, title and dataset config of the pairs."""
ADAPTERS = {"dpo": "DPO", "focal_dpo": "Focal DPO", "kto": "KTO"}


@dataclass(frozen=True)
class ShownScore:
    """Held-out pass@1 of one model."""

    name: str
    title: str
    greedy: ShownShare
    sampled: ShownShare
    n: int
    """Samples a task."""
    temperature: float
    tasks: int


@dataclass(frozen=True)
class Gain:
    """A trained model's pass@1 less the base's, paired by task."""

    name: str
    greedy: ShownShare
    sampled: ShownShare
    won: int
    """Tasks that only the trained model solves greedily."""
    lost: int

    @property
    def word(self) -> str:
        """Which way the sampled pass@1 went, if its interval tells."""
        return "rose" if self.sampled.low > 0 else "fell" if self.sampled.high < 0 else "stayed"


@dataclass(frozen=True)
class ShownEvidence:
    """What the ranking had to work with, before training; None where it was not measured."""

    prompts: int
    codes_right: ShownShare | None
    tests_right: ShownShare | None
    tests_dead: float | None
    """Share of the tests that no program passes."""
    auc: float | None
    """How often a right program scores above a wrong one of the same prompt."""
    weak: bool
    words: str


@dataclass(frozen=True)
class ShownLabels:
    """A dataset's pairs against the hidden tests."""

    pairs: int
    right: float
    inverted: float


@dataclass(frozen=True)
class Convergence:
    """Scores of one prompt's programs and tests after 0, 1, ... updates: a row a program or test."""

    codes: tuple[tuple[float, ...], ...]
    tests: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class PageContent:
    """All that the page shows, as plain data.

    ROOT/quickstart.json, each key of which may be missing:

        seed         a number
        model        {"name", "parameters"}
        steps        [{"name", "seconds", "folder" or null}]
        evidence     {"prompts", "codes_right", "tests_right", "tests_dead", "auc", "weak", "words"}
        scores       [{"name", "title", "greedy", "sampled", "n", "temperature", "tasks"}], the base first
        gains        [{"name", "greedy", "sampled", "won", "lost"}]
        labels       {folder of a dataset: {"pairs", "right", "inverted"}}
        example      {"prompt_id", "convergence": {"codes", "tests"}, "codes_right", "tests_right"}: scores after each
                     update, one list a program or test, and the hidden truth, all in the order of the pair's `matrix`
        commands     [what to type to repeat single steps]

    Estimates are [mean, low, high], shares between 0 and 1; other keys are passed over. Beside it lie the datasets
    codedpo/, codeflow/ and dstc/ as `codepref build` makes them, and the adapters dpo/, focal_dpo/ and kto/ with a
    manifest.json each.
    """

    seed: int | None
    model: str | None
    parameters: int | None
    steps: tuple[ShownStep, ...]
    evidence: ShownEvidence | None
    scores: tuple[ShownScore, ...]
    gains: tuple[Gain, ...]
    labels: Mapping[str, ShownLabels]
    convergence: Convergence | None
    commands: tuple[str, ...]
    datasets: tuple[Dataset, ...]
    curves: tuple[Curve, ...]
    example: ShownMatrix | None
    speedups: tuple[float, ...]
    """CPU time of the slow program over that of the fast one, one an efficiency pair, ascending."""
    speed: ShownPair | None
    """The efficiency pair in the middle."""
    repair: ShownRepair | None


def write_page(root: Path) -> Path:
    """Writes ROOT/report.html.

    Args:
        root: The folder of a quickstart run, finished or not.

    Returns:
        The page's path.

    Raises:
        CodeprefError: nothing of a run is there, or a file of it is damaged.
    """
    path = root / "report.html"
    write_whole(path, page(read_page_content(root)).encode())
    return path


def read_page_content(root: Path) -> PageContent:
    """What lies in the folder of a quickstart run, finished or not.

    Raises:
        CodeprefError: nothing of a run is there, or a file of it is damaged.
    """
    path = root / FILE
    if not path.exists() and not any((root / folder).is_dir() for folder, _, _ in DATASETS):
        raise CodeprefError(f"{root}: neither {FILE} nor a dataset here; give the folder of a quickstart run")
    try:
        told = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        known = _known(told)
        wanted = told.get("example") or {}
        example = _example(root, wanted)
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise CodeprefError(f"{path}: damaged ({type(error).__name__}: {error}); run the quickstart again") from None
    speedups, speed = facts.speed(root / "codedpo")
    return PageContent(
        **known,
        convergence=_fitting(wanted.get("convergence"), example),
        datasets=tuple(facts.shown_dataset(root, *names) for names in DATASETS),
        curves=read_curves(root, ADAPTERS),
        example=example,
        speedups=speedups,
        speed=speed,
        repair=facts.shown_repair(root / "codeflow"),
    )


def _known(told: Mapping[str, Any]) -> dict[str, Any]:
    """What `quickstart.json` says itself."""
    model = told.get("model") or {}
    found = told.get("evidence")
    evidence = found and ShownEvidence(
        found["prompts"],
        _estimate(found.get("codes_right")),
        _estimate(found.get("tests_right")),
        found.get("tests_dead"),
        found.get("auc"),
        bool(found.get("weak")),
        str(found.get("words") or ""),
    )
    return {
        "seed": told.get("seed"),
        "model": model.get("name"),
        "parameters": model.get("parameters"),
        "steps": tuple(ShownStep(s["name"], float(s["seconds"]), s.get("folder")) for s in told.get("steps") or ()),
        "evidence": evidence or None,
        "scores": tuple(_made(ShownScore, item) for item in told.get("scores") or ()),
        "gains": tuple(_made(Gain, item) for item in told.get("gains") or ()),
        "labels": {name: _made(ShownLabels, item) for name, item in (told.get("labels") or {}).items()},
        "commands": tuple(map(str, told.get("commands") or ())),
    }


def _made(kind: Callable[..., Any], item: Mapping[str, Any]) -> Any:
    """A record of the keys it knows; others may stand beside them."""
    values = {field.name: item[field.name] for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{key: ShownShare(*v) if key in ("greedy", "sampled") else v for key, v in values.items()})


def _estimate(values: Sequence[float] | None) -> ShownShare | None:
    return None if values is None else ShownShare(*values)


def _example(root: Path, wanted: Mapping[str, Any]) -> ShownMatrix | None:
    truths = [wanted.get(key) for key in ("codes_right", "tests_right")]
    return facts.shown_example(root / "codedpo", wanted.get("prompt_id"), *truths)


def _fitting(found: Mapping[str, Any] | None, example: ShownMatrix | None) -> Convergence | None:
    """The convergence, where it is that of the example."""
    if not found or not example:
        return None
    made = Convergence(*(tuple(map(tuple, found[side])) for side in ("codes", "tests")))
    fits = len(made.codes) == len(example.codes) and len(made.tests) == len(example.tests)
    return made if fits else None


def page(report: PageContent) -> str:
    """The whole page.

    Args:
        report: What it shows; missing parts are said to be missing.
    """
    gains = {gain.name: gain for gain in report.gains}
    return rendered("report.html.jinja", report=report, gains=gains, ratios=_ratios)


def _ratios(row: Sequence[float], best: Sequence[float]) -> list[tuple[int, float]]:
    """Points of a line: number of the update, score over the highest one."""
    return [(number, score / top) for number, (score, top) in enumerate(zip(row, best, strict=True))]
