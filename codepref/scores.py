"""Scores of a model on its card: a table, `model-index`, and the Hub's `.eval_results/*.yaml`.

All three say the same and are made of the same `results.json`, which is published beside them. Formats:
https://huggingface.co/docs/hub/eval-results and the model-index of the model card specification.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from codepref import release
from codepref.errors import CodeprefError
from codepref.release import File

DATASETS = {
    "humaneval": "openai/openai_humaneval",
    "humaneval_plus": "evalplus/humanevalplus",
    "mbpp": "google-research-datasets/mbpp",
    "mbpp_plus": "evalplus/mbppplus",
    "ds1000": "xlangai/DS-1000",
    "bigcodebench": "bigcode/bigcodebench",
    "bigcodebench_hard": "bigcode/bigcodebench-hard",
}
"""The Hub's dataset of each benchmark."""
TABLE = """## Scores

| benchmark | metric | % [95 % interval] | problems | settings | fingerprint |
| --- | --- | --- | --- | --- | --- |"""
NOTE = """
Intervals are over problems. The fingerprint stands for prompt, stop list, extractor, data, limits and versions; the
files in `evaluation/` spell it out."""
BEFORE = "\n## Limits"


@dataclass(frozen=True)
class Score:
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
    """Identifies prompt, stop list, extractor, data, limits and versions."""
    settings: str = ""
    """In words, where they are not greedy decoding of one sample."""
    revision: str | None = None
    """Commit of the benchmark's dataset."""


def read(path: Path) -> list[Score]:
    """The scores of a `results.json` of `codepref evaluate`.

    Raises:
        CodeprefError: no such file, or something else is in it.
    """
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        return [score for result in results["results"] for score in _of_benchmark(result)]
    except OSError as error:
        raise CodeprefError(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CodeprefError(f"{path}: not the results of `codepref evaluate` ({error!r})") from None


def _of_benchmark(result: Mapping[str, Any]) -> list[Score]:
    return [
        Score(
            benchmark=result["benchmark"],
            metric=metric,
            value=float(number["value"]),
            low=float(number["low"]),
            high=float(number["high"]),
            problems=int(result["problems"]),
            fingerprint=str(result["fingerprint"]),
            settings=result.get("settings", ""),
            revision=result.get("revision"),
        )
        for metric, number in result["scores"].items()
    ]


def files(folder: Path, repo_id: str, paths: Sequence[Path]) -> list[File]:
    """What publishing a model with scores adds: the card with table and model-index, entries, the results themselves.

    Args:
        folder: The model's folder, for its card.
        repo_id: `ORG/NAME` of the model.
        paths: Files of results, each of other benchmarks.

    Raises:
        CodeprefError: a file can not be read, or two of them measure the same.
    """
    card = release.card(folder, repo_id, "give the folder of a finished training run").content
    assert isinstance(card, bytes)
    scores = [(path, score) for path in paths for score in read(path)]
    seen: set[tuple[str, str, str]] = set()
    for path, score in scores:
        key = (score.benchmark, score.metric, score.settings)
        if key in seen:
            raise CodeprefError(f"{path}: {score.benchmark} {score.metric} is in another file of results too")
        seen.add(key)
    names = {path: f"evaluation/{index}-results.json" for index, path in enumerate(paths)}
    entries: dict[str, list[Any]] = {}
    for path, score in scores:
        if entry := _entry(score, repo_id, names[path]):
            entries.setdefault(f".eval_results/{_slug(score)}.yaml", []).append(entry)
    return [
        File("README.md", with_scores(card.decode(), repo_id, [score for _, score in scores]).encode()),
        *(File(name, _yaml(value)) for name, value in entries.items()),
        *(File(name, path) for path, name in names.items()),
    ]


def with_scores(card: str, repo_id: str, scores: Sequence[Score]) -> str:
    """A model card with a table of scores and a model-index."""
    from huggingface_hub import EvalResult, ModelCard

    loaded = ModelCard(card)
    loaded.data.model_name = repo_id.rpartition("/")[2]
    loaded.data.eval_results = [
        EvalResult(
            task_type="text-generation",
            dataset_type=DATASETS.get(score.benchmark, score.benchmark),
            dataset_name=score.benchmark,
            dataset_revision=score.revision,
            metric_type=score.metric,
            metric_name=f"{score.metric} [95 % {100 * score.low:.1f}-{100 * score.high:.1f}]",
            metric_value=_percent(score),
        )
        for score in scores
    ]
    text = str(loaded)
    head, limits, tail = text.partition(BEFORE)
    return f"{head.rstrip()}\n\n{table(scores)}\n{limits}{tail}"


def table(scores: Sequence[Score]) -> str:
    """The scores as a section of Markdown."""
    lines = [
        f"| {score.benchmark} | {score.metric} | {_percent(score)} [{100 * score.low:.1f}-{100 * score.high:.1f}] "
        f"| {score.problems} | {score.settings or 'greedy, one sample'} | `{score.fingerprint}` |"
        for score in scores
    ]
    return "\n".join([TABLE, *lines, NOTE])


def _entry(score: Score, repo_id: str, results: str) -> Any:
    """The Hub's entry of a score; None for benchmarks that the Hub has no dataset of."""
    from huggingface_hub import EvalResultEntry, constants

    if score.benchmark not in DATASETS or score.metric != "pass@1":
        return None  # a leaderboard has one number for each model and task
    return EvalResultEntry(
        dataset_id=DATASETS[score.benchmark],
        task_id="default",
        value=_percent(score),
        dataset_revision=score.revision,
        source_url=f"{constants.ENDPOINT}/{repo_id}/blob/main/{results}",
        source_name="codepref evaluate",
        notes=score.settings or None,
    )


def _yaml(entries: list[Any]) -> bytes:
    from huggingface_hub import eval_result_entries_to_yaml

    return yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False).encode()


def _slug(score: Score) -> str:
    """One file for each variant, as the Hub wants it."""
    words = "".join(letter if letter.isalnum() else " " for letter in score.settings).split()
    return "_".join([score.benchmark, *words])


def _percent(score: Score) -> float:
    return round(100 * score.value, 2)
