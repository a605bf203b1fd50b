"""An experiment as one HTML page that needs nothing but itself: no network, no script, no other file.

`read_page` gathers what lies in the run's folder, `page` makes HTML of it through `model_cards/experiment.html.jinja`.
The same folder gives the same bytes.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codepref.commands.experiment.file import BASE
from codepref.commands.experiment.steps import FILE
from codepref.errors import CodeprefError
from codepref.files import write_whole
from codepref.report import facts
from codepref.report.html import Curve, ShownShare, ShownStep, read_curves, rendered


@dataclass(frozen=True)
class Gain:
    """A trained model's pass@1 less the base's, paired by problem."""

    difference: ShownShare
    won: int
    """Problems whose first sample is right after training and was not before."""
    lost: int
    p: float
    """Of McNemar's exact test."""

    @property
    def clear(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.difference.low > 0 or self.difference.high < 0


@dataclass(frozen=True)
class Score:
    """pass@1 of one model on one benchmark."""

    model: str
    value: ShownShare
    gain: Gain | None
    failures: Mapping[str, int] = field(default_factory=dict)
    """Failed samples by kind."""


@dataclass(frozen=True)
class Graded:
    """One benchmark, asked in one way, of all models."""

    benchmark: str
    way: str
    problems: int
    n: int
    """Samples a problem."""
    temperature: float
    part: bool
    """Whether only some of the benchmark's problems were asked."""
    scores: tuple[Score, ...]
    """The base first."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of failure that any model shows, most frequent first."""
        counts = Counter[str]()
        for score in self.scores:
            counts.update(score.failures)
        return tuple(kind for kind, _ in counts.most_common())


@dataclass(frozen=True)
class Labels:
    """Pairs of a dataset against hidden tests."""

    pairs: int
    right: ShownShare
    inverted: float


@dataclass(frozen=True)
class ExperimentPage:
    """All that the page shows, as plain data; what is missing is None or empty."""

    model: str
    seed: int
    prompts: str
    graded: tuple[Graded, ...]
    labels: Mapping[str, Labels]
    datasets: tuple[facts.Dataset, ...]
    curves: tuple[Curve, ...]
    example: facts.ShownMatrix | None
    speedups: tuple[float, ...]
    speed: facts.ShownPair | None
    repair: facts.ShownRepair | None
    steps: tuple[ShownStep, ...]
    commands: tuple[str, ...]

    @property
    def headline(self) -> str:
        """The result in a line."""
        gains = [(score, item) for item in self.graded for score in item.scores if score.gain]
        clear = [(score, item) for score, item in gains if score.gain and score.gain.clear]
        if not self.graded:
            return "This experiment has not been evaluated"
        if not gains:
            return "Measured before training; the run stopped before it was measured after"
        if not clear:
            return "No clear difference after training"
        if len(gains) > 1:
            return f"{len(clear)} of {len(gains)} comparisons with the base differ clearly"
        score, item = clear[0]
        assert score.gain is not None
        points = f"{100 * score.gain.difference.value:+.1f}".replace("-", "\u2212")
        return f"{score.model}: {points} points on {item.benchmark}"


def write_page(root: Path) -> Path:
    """Writes ROOT/report.html and returns its path.

    Raises:
        CodeprefError: ROOT holds no experiment, or a file of it is damaged.
    """
    path = root / "report.html"
    write_whole(path, page(read_page(root)).encode())
    return path


def page(shown: ExperimentPage) -> str:
    """The whole page."""
    return rendered("experiment.html.jinja", shown=shown, base=BASE)


def read_page(root: Path) -> ExperimentPage:
    """What lies in the folder of an experiment, finished or not.

    Raises:
        CodeprefError: it holds no experiment, or a file of it is damaged.
    """
    path = root / FILE
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return _read(root, told)
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise CodeprefError(f"{path}: damaged or missing ({type(error).__name__}: {error}); run it again") from None


def _read(root: Path, told: Mapping[str, Any]) -> ExperimentPage:
    experiment = told["experiment"]
    names = list(experiment["datasets"])
    folders = [root / name for name in names]
    steps = tuple(ShownStep(step["name"], float(step["seconds"]), step.get("folder")) for step in told["steps"])
    adapters = {step.folder: step.name for step in steps if step.folder and step.name.endswith(" training")}
    speeds = [found for folder in folders if (found := facts.speed(folder))[1] is not None]
    return ExperimentPage(
        model=Path(experiment["model"]).name if Path(experiment["model"]).is_dir() else experiment["model"],
        seed=experiment["seed"],
        prompts=Path(experiment["prompts"] or experiment["seeds"]).name,
        graded=_graded(experiment, told),
        labels={name: _labels(found) for name, found in told.get("labels", {}).items()},
        datasets=tuple(facts.shown_dataset(root, name, name, _config(root / name)) for name in names),
        curves=read_curves(root, adapters),
        example=next(filter(None, (facts.shown_example(folder, None, None, None) for folder in folders)), None),
        speedups=speeds[0][0] if speeds else (),
        speed=speeds[0][1] if speeds else None,
        repair=next(filter(None, map(facts.shown_repair, folders)), None),
        steps=steps,
        commands=tuple(map(str, told.get("commands") or ())),
    )


def _config(folder: Path) -> str:
    """The first config of a dataset: its pairs."""
    run = facts.run_if_begun(folder)
    return next(iter(run.manifest["dataset"]), "") if run and run.manifest else ""


def _labels(found: Mapping[str, Any]) -> Labels:
    return Labels(found["pairs"], ShownShare(found["right"], found["low"], found["high"]), found["inverted"])


def _graded(experiment: Mapping[str, Any], told: Mapping[str, Any]) -> tuple[Graded, ...]:
    """Benchmarks in the order of the file, models in the order they were trained in."""
    order = [step["name"].removesuffix(" training") for step in told["steps"] if step["name"].endswith(" training")]
    made = []
    for way, evaluation in experiment["evaluations"].items():
        for benchmark in evaluation["benchmarks"]:
            mine = [row for row in told.get("scores", ()) if (row["way"], row["benchmark"]) == (way, benchmark)]
            mine.sort(key=lambda row: [BASE, *order].index(row["model"]))
            if mine:
                scores = tuple(_score(row, told.get("gains", ())) for row in mine)
                part, temperature = evaluation["limit"] is not None, evaluation["temperature"]
                made.append(Graded(benchmark, way, mine[0]["problems"], mine[0]["n"], temperature, part, scores))
    return tuple(made)


def _score(row: Mapping[str, Any], gains: Sequence[Mapping[str, Any]]) -> Score:
    keys = ("model", "way", "benchmark")
    mine = [gain for gain in gains if all(gain[key] == row[key] for key in keys)]
    return Score(row["model"], _points(row, "value"), _gain(mine[0]) if mine else None, row.get("failures", {}))


def _gain(gain: Mapping[str, Any]) -> Gain:
    return Gain(_points(gain, "difference"), gain["won"], gain["lost"], gain["mcnemar_p"])


def _points(row: Mapping[str, Any], key: str) -> ShownShare:
    """Points as shares."""
    return ShownShare(row[key] / 100, row["low"] / 100, row["high"] / 100)
