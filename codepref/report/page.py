"""Any runs as one HTML page: datasets to leaf through, training curves, scores side by side.

The page needs nothing but itself. It shows a sample of the pairs and reads rows a batch at a time: a dataset of a
million rows takes no more memory than one of a thousand.
"""

import dataclasses
import json
import math
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codepref.errors import CodeprefError
from codepref.inspection.run import Run, read_run
from codepref.report import facts
from codepref.report.html import Curve, ShownShare, read_curves, rendered

BINS = 10
"""Bars of the histogram of confidence."""
EXAMPLES = 3
"""Examples of each rule that leaves things out."""


@dataclass(frozen=True)
class SampledMatrix:
    """What ran on what, for one pair."""

    passed: tuple[tuple[bool, ...], ...]
    """Row i is program i, column j is test j."""
    code_scores: tuple[float, ...]
    test_scores: tuple[float, ...]
    chosen: int
    rejected: int


@dataclass(frozen=True)
class SampledPair:
    """One pair of a dataset."""

    number: int
    """Its row, from 1 on."""
    prompt_id: str
    prompt: str
    chosen: str
    rejected: str
    facts: tuple[tuple[str, str], ...]
    """What else its row says, name and value."""
    told: str
    """What the model was told about the rejected program; empty where it was told nothing."""
    matrix: SampledMatrix | None


@dataclass(frozen=True)
class Exclusions:
    """What one rule left out."""

    stage: str
    kind: str
    rule: str
    count: int
    examples: tuple[str, ...]
    """Prompts it happened in."""


@dataclass(frozen=True)
class ShownConfig:
    """One config of a dataset."""

    name: str
    rows: int
    confidence: tuple[int, ...]
    """Pairs by confidence, in `BINS` equal steps from 0 to 1; empty where the rows have none."""
    pairs: tuple[SampledPair, ...]


@dataclass(frozen=True)
class ShownRun:
    """One build."""

    dataset: facts.Dataset
    method: str
    configs: tuple[ShownConfig, ...]
    exclusions: tuple[Exclusions, ...]


@dataclass(frozen=True)
class ShownScore:
    """pass@1 of one result folder."""

    title: str
    benchmark: str
    problems: int
    n: int
    value: ShownShare


@dataclass(frozen=True)
class ReportPage:
    """All that the page shows."""

    title: str
    runs: tuple[ShownRun, ...]
    curves: tuple[Curve, ...]
    scores: tuple[ShownScore, ...]

    @property
    def benchmarks(self) -> tuple[tuple[str, tuple[ShownScore, ...]], ...]:
        """The scores of each benchmark, which are compared with each other."""
        found = defaultdict(list)
        for score in self.scores:
            found[score.benchmark].append(score)
        return tuple((name, tuple(scores)) for name, scores in found.items())


def page(folders: Sequence[Path], pairs: int, beside: Path) -> str:
    """The page of some folders: builds, trainings, evaluations, in any mixture.

    Args:
        folders: What a build, a training or an evaluation wrote.
        pairs: How many pairs of each config are shown, spread evenly over its rows.
        beside: The folder that the page will lie in: its links go from there.

    Raises:
        CodeprefError: a folder is none of these, or a file in it is damaged.
    """
    runs, curves, scores = [], list[Curve](), list[ShownScore]()
    for number, folder in enumerate(folders):
        kind, found = _kind(folder)
        if kind == "training":
            named = read_curves(folder.parent, {folder.name: folder.name})
            curves += [Curve(f"{curve.name}-{number}", curve.title, curve.lines) for curve in named]
        elif kind == "evaluation":
            scores.append(_score(folder, found))
        else:
            runs.append(_run(folder, pairs, beside))
    title = ", ".join(folder.name for folder in folders)
    return rendered("runs.html.jinja", shown=ReportPage(title, tuple(runs), tuple(curves), tuple(scores)), bins=BINS)


def _kind(folder: Path) -> tuple[str, dict[str, Any]]:
    """What wrote a folder, and what its main file says."""
    if not folder.is_dir():
        raise CodeprefError(f"{folder}: no such folder; give the --out folder of a build, a training or an evaluation")
    path = next((folder / name for name in ("results.json", "manifest.json") if (folder / name).exists()), None)
    if path is None:
        return "build", {}  # perhaps one that is not finished
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if path.name == "results.json":
            return "evaluation", found
        return ("build" if "stages" in found else "training"), found
    except (OSError, ValueError, TypeError) as error:
        raise CodeprefError(f"{path}: can not be read ({error}); make it again") from None


def _score(folder: Path, found: Mapping[str, Any]) -> ShownScore:
    try:
        score = found["score"]["pass@1"]
        value = ShownShare(score["value"], score["low"], score["high"])
        count = int(found["problems"])
        title = Path(str(found["adapter"] or found["model"] or folder.parent.name)).name
        return ShownScore(title, found["benchmark"], count, found["samples"] // max(count, 1), value)
    except (KeyError, TypeError, ValueError) as error:
        raise CodeprefError(f"{folder / 'results.json'}: damaged ({type(error).__name__}: {error})") from None


def _run(folder: Path, pairs: int, beside: Path) -> ShownRun:
    run = read_run(folder)
    built = run.manifest["dataset"] if run.manifest else {}
    first = next(iter(built), "")
    dataset = facts.shown_dataset(folder.parent, folder.name, folder.name, first)
    dataset = dataclasses.replace(dataset, name=os.path.relpath(folder, beside))
    configs = tuple(_config(run, name, part["rows"], pairs) for name, part in built.items())
    method = str(run.manifest["method"]) if run.manifest else ""
    return ShownRun(dataset, method, configs, tuple(_exclusions(run)))


def _config(run: Run, name: str, rows: int, pairs: int) -> ShownConfig:
    wanted = {round(place * (rows - 1) / max(pairs - 1, 1)) for place in range(min(pairs, rows))}
    sampled = [_pair(number, row) for number, row in _sampled_rows(run, name, wanted) if "chosen" in row]
    return ShownConfig(name, rows, _histogram(run, name), tuple(sampled))


def _sampled_rows(run: Run, config: str, wanted: set[int]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Some rows of a config, with their numbers."""
    number = 0
    for batch in facts.dataset_batches(run, config):
        for place in sorted(wanted.intersection(range(number, number + len(batch)))):
            yield place + 1, batch.slice(place - number, 1).to_pylist()[0]
        number += len(batch)


def _histogram(run: Run, config: str) -> tuple[int, ...]:
    """Pairs by confidence; a row without one, or with none that is a number, is not counted."""
    counts = [0] * BINS
    for batch in facts.dataset_batches(run, config, "confidence"):
        for value in batch.column("confidence").to_pylist() if "confidence" in batch.schema.names else ():
            if value is not None and math.isfinite(value):
                counts[min(int(value * BINS), BINS - 1)] += 1
    return tuple(counts) if any(counts) else ()


SHOWN = (
    "confidence",
    "speedup",
    "changed_lines",
    "rejected_round",
    "chosen_round",
    "same_code",
    "generator",
    "licence",
)
"""Columns whose values stand beside a pair, where its dataset has them."""


def _pair(number: int, row: Mapping[str, Any]) -> SampledPair:
    told = [(name, _shown(row[name])) for name in SHOWN if row.get(name) is not None]
    texts = (row["prompt_id"], row["prompt"], row["chosen"], row["rejected"])
    return SampledPair(number, *texts, tuple(told), row.get("rejected_error") or "", _matrix(row))


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _matrix(row: Mapping[str, Any]) -> SampledMatrix | None:
    """The matrix of a row of CodeDPO or DSTC."""
    places = [row.get(f"{side}_index", row.get(f"{side}_code_index")) for side in ("chosen", "rejected")]
    if row.get("matrix") is None or row.get("code_scores") is None or None in places:
        return None
    passed = tuple(map(tuple, row["matrix"]))
    tests = row.get("test_scores")
    if tests is None:  # DSTC counts how many programs pass a test
        tests = [sum(column) / max(len(passed), 1) for column in zip(*passed, strict=True)]
    codes = tuple(0.0 if math.isnan(score) else score for score in row["code_scores"])
    return SampledMatrix(passed, codes, tuple(tests), places[0], places[1])


def _exclusions(run: Run) -> Iterator[Exclusions]:
    """What every rule of every stage left out, in the order of the stages, most first."""
    for stage in run.stages:
        if not stage.done:
            continue
        counts, examples = defaultdict[tuple[str, str], int](int), defaultdict[tuple[str, str], list[str]](list)
        for item in stage.excluded():
            key = item.kind, item.rule
            counts[key] += 1
            if len(examples[key]) < EXAMPLES and item.prompt_id not in examples[key]:
                examples[key].append(item.prompt_id)
        for (kind, rule), count in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])):
            yield Exclusions(stage.name, kind, rule, count, tuple(examples[kind, rule]))
