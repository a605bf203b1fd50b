"""Scores of a model on its card: a table, `model-index`, and the Hub's `.eval_results/*.yaml`.

All three are made of the same `results.json` files, which are published beside them. Formats:
https://huggingface.co/docs/hub/eval-results and the model-index of the model card specification.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from codepref.benchmarks import variant_of
from codepref.errors import CodeprefError
from codepref.publish import release
from codepref.publish.release import File

TABLE = """## Scores

| model | benchmark | metric | % [95 % interval] | problems | settings | fingerprint |
| --- | --- | --- | --- | --- | --- | --- |"""
NOTE = """
Intervals are over problems. The fingerprint stands for prompt, stop list, extractor, data, limits and versions; the
files in `evaluation/` spell it out."""
BEFORE = "\n## Limits"
GREEDY = "greedy, one sample"


@dataclass(frozen=True)
class PublishedScore:
    """One number of one benchmark."""

    benchmark: str
    metric: str
    """`pass@1`, `pass@10`."""
    value: float
    """0 to 1, as are both ends of the interval."""
    low: float
    high: float
    problems: int
    fingerprint: str
    settings: str
    """How the samples were drawn, in words."""
    date: str
    """Of the run, YYYY-MM-DD."""

    @property
    def percent(self) -> float:
        """The value in per cent, as leaderboards show it."""
        return round(100 * self.value, 2)

    @property
    def interval(self) -> str:
        """Both ends in per cent."""
        return f"{100 * self.low:.1f}-{100 * self.high:.1f}"


@dataclass(frozen=True)
class Results:
    """One `results.json`."""

    path: Path
    model: str | None
    """Adapter or model as `codepref evaluate` was told; None: the samples came from a file."""
    scores: tuple[PublishedScore, ...]
    notes: tuple[str, ...]
    """Distance to published scores, contamination."""

    @property
    def slug(self) -> str:
        """Name of benchmark and settings: the Hub wants one file for each variant."""
        score = self.scores[0]
        variant = "" if score.settings == GREEDY else score.settings
        words = "".join(letter if letter.isalnum() else " " for letter in variant).split()
        return "_".join([score.benchmark, *words])


def read_results(path: Path) -> Results:
    """The scores in a `results.json` of `codepref evaluate`.

    Raises:
        CodeprefError: no such file, something else is in it, or only a part of the benchmark was run.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        _refuse_a_part(path, found)
        model = found.get("adapter") or found.get("model")
        return Results(path, model, tuple(_scores(found)), tuple(found.get("notes", ())))
    except OSError as error:
        raise CodeprefError(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CodeprefError(f"{path}: not a results.json of `codepref evaluate` ({error!r})") from None


def _refuse_a_part(path: Path, found: Mapping[str, Any]) -> None:
    """Raises `CodeprefError` for results of some of the problems."""
    variant = variant_of(found["benchmark"])
    known = variant.problems if variant is not None and not found.get("window") else 0
    whole = max(found["problems_of_benchmark"], known)
    part = found.get("partial")
    if part or found["problems"] < whole:
        why = f" ({part['why']})" if part else ""
        words = f"{found['problems']} of {whole} problems{why} are no score of {found['benchmark']}"
        raise CodeprefError(f"{path}: {words}; run all of them")


def _scores(found: Mapping[str, Any]) -> Iterator[PublishedScore]:
    """`base` are the original tests of a benchmark that extends another."""
    drawn = found.get("generation") or {}
    window = found.get("window")
    settings = f"temperature {drawn['temperature']:g}, {drawn['n']} samples" if drawn else "samples from a file"
    for part, remark in (("score", ""), ("base", " (original tests)")):
        for metric, number in found.get(part, {}).items():
            yield PublishedScore(
                benchmark=found["benchmark"],
                metric=metric + remark,
                value=float(number["value"]),
                low=float(number["low"]),
                high=float(number["high"]),
                problems=int(found["problems"]),
                fingerprint=found["fingerprint"]["id"],
                settings=(GREEDY if settings == "temperature 0, 1 samples" else settings) + _days(window),
                date=found["date"],
            )


def _days(window: Mapping[str, Any] | None) -> str:
    """Of which days the tasks are, where only those of some days were graded."""
    return f", tasks from {window['since'] or 'the first'} to {window['until'] or 'the last'}" if window else ""


def files(folder: Path, repo_id: str, paths: Sequence[Path]) -> list[File]:
    """What publishing a model with scores adds: the card with table and model-index, entries, the results themselves.

    Args:
        folder: The model's folder.
        repo_id: `ORG/NAME` of the model.
        paths: Files of results: of this model, or of its base for comparison.

    Raises:
        CodeprefError: a file can not be read, is of another model, or two of them measure the same.
    """
    ours: list[Results] = []
    before: list[Results] = []
    for results in map(read_results, paths):
        group = ours if _is_of(results, folder, repo_id) else before
        if results.slug in {other.slug for other in group}:
            raise CodeprefError(f"{results.path}: another file holds {results.slug} too; give one of them")
        group.append(results)
    card = release.card(folder, repo_id, "give the folder of a finished training run").content
    assert isinstance(card, bytes)
    return [
        File("README.md", with_scores(card.decode(), repo_id, ours, before).encode()),
        *(File(f".eval_results/{item.slug}.yaml", _entry(item, repo_id)) for item in ours if _first(item)),
        *(File(f"evaluation/{item.slug}.json", item.path) for item in ours),
        *(File(f"evaluation/base_{item.slug}.json", item.path) for item in before),
    ]


def _is_of(results: Results, folder: Path, repo_id: str) -> bool:
    """True: of this model; False: of its base.

    Raises:
        CodeprefError: of neither.
    """
    name = results.model
    if name is None or name == repo_id or Path(name).resolve() == folder.resolve():
        return True
    base = release.read_manifest(folder).get("base", {}).get("name")
    if base and base in (name, Path(name).resolve().name):
        return False
    raise CodeprefError(f"{results.path}: is of {name}, which is neither {folder} nor its base model")


def with_scores(card: str, repo_id: str, ours: Sequence[Results], before: Sequence[Results] = ()) -> str:
    """A model card with a table of scores, those of the base beside them, and a model-index of its own scores."""
    from huggingface_hub import EvalResult, ModelCard

    loaded = ModelCard(card)
    loaded.data.model_name = repo_id.rpartition("/")[2]
    loaded.data.eval_results = [
        EvalResult(
            task_type="text-generation",
            dataset_type=_hub_dataset(score.benchmark) or score.benchmark,
            dataset_name=score.benchmark,
            metric_type=score.metric.partition(" ")[0],
            metric_name=f"{score.metric}, {score.settings}, 95 % interval {score.interval}",
            metric_value=score.percent,
        )
        for results in ours
        for score in results.scores
    ]
    head, limits, tail = str(loaded).partition(BEFORE)
    return f"{head.rstrip()}\n\n{_table(ours, before)}\n{limits}{tail}"


def _table(ours: Sequence[Results], before: Sequence[Results]) -> str:
    lines = [
        f"| {model} | {score.benchmark} | {score.metric} | {score.percent} [{score.interval}] | {score.problems} "
        f"| {score.settings} | `{score.fingerprint}` |"
        for model, group in (("this one", ours), ("its base, before training", before))
        for results in group
        for score in results.scores
    ]
    notes = [f"- {results.scores[0].benchmark}: {note}" for results in ours for note in results.notes]
    return "\n".join([TABLE, *lines, NOTE, *(["", *notes] if notes else [])])


def _first(results: Results) -> PublishedScore | None:
    """The number of a leaderboard: pass@1 on all tests; None where the Hub has no dataset of the benchmark."""
    known = (score for score in results.scores if score.metric == "pass@1" and _hub_dataset(score.benchmark))
    return next(known, None)


def _hub_dataset(benchmark: str) -> str | None:
    """The Hub's dataset of a benchmark; None where there is none."""
    variant = variant_of(benchmark)
    return variant.data.hub if variant is not None and variant.data is not None else None


def _entry(results: Results, repo_id: str) -> bytes:
    """The Hub's entry of a benchmark, as YAML."""
    from huggingface_hub import EvalResultEntry, constants, eval_result_entries_to_yaml

    score = _first(results)
    assert score is not None
    variant = variant_of(score.benchmark)
    assert variant is not None and variant.data is not None
    entry = EvalResultEntry(
        dataset_id=variant.data.hub,
        task_id=variant.leaderboard_task,
        value=score.percent,
        date=score.date,
        source_url=f"{constants.ENDPOINT}/{repo_id}/blob/main/evaluation/{results.slug}.json",
        source_name="codepref evaluate",
        notes=None if score.settings == GREEDY else score.settings,
    )
    return yaml.safe_dump(eval_result_entries_to_yaml([entry]), sort_keys=False).encode()
