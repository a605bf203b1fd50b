"""A run's folder, finished or not, as text for the terminal. Reads only; works for every method that has stages."""

import array
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from codepref.errors import CodeprefError
from codepref.stages import counted
from codepref.store import Stage, store

PAIR = ["prompt_id", "chosen", "rejected", "confidence"]
"""Columns by which two sets of pairs are compared."""


@dataclass(frozen=True)
class Run:
    """What lies in a run's folder."""

    root: Path
    manifest: Mapping[str, Any] | None
    """None as long as the build has not come to its end."""
    stages: tuple[Stage, ...]
    """Stages of the manifest, first to last; without a manifest all that were begun, oldest first."""
    others: tuple[Stage, ...] = ()
    """Stages of other settings, made in the same folder."""

    @property
    def state(self) -> str:
        """In words, whether the build came to its end."""
        if self.manifest is None:
            return "not finished: the same build command goes on from here"
        if not (self.root / "README.md").exists():
            return "no dataset: not one row came out, or a build was interrupted at its end"
        return "finished"

    def stage(self, name: str) -> Stage:
        """The finished stage of that name.

        Raises:
            CodeprefError: there is none in this folder.
        """
        found = next((stage for stage in reversed(self.stages) if stage.name == name and stage.done), None)
        if found is None:
            raise CodeprefError(f"{self.root}: no finished stage '{name}' here; name the folder of a finished build")
        return found

    def inputs(self, stage: Stage) -> list[Stage]:
        """The stages that a finished stage was made of.

        Raises:
            CodeprefError: one is no longer in this folder.
        """
        by_key = {item.key: item for item in self.stages if item.path.is_dir()}
        keys = stage.summary()["depends"]["inputs"]
        if any(key not in by_key for key in keys):
            raise CodeprefError(f"{self.root}: inputs of stage '{stage.name}' are missing; build it again")
        return [by_key[key] for key in keys]

    def files(self) -> list[Path]:
        """Every Parquet file that is there, those of the stages first, the dataset's own last."""
        parts = self.manifest["dataset"].values() if self.manifest else ()
        own = [self.root / item["file"] for part in parts for item in part["files"]]
        return [*(path for stage in self.stages for path in stage.shards()), *(path for path in own if path.exists())]


def read_run(root: Path) -> Run:
    """A run's folder, or a dataset folder that was published without its stages.

    Raises:
        CodeprefError: it is neither.
    """
    if not root.is_dir():
        raise CodeprefError(f"{root}: no such folder; give the --out folder of a build")
    stored = store(root).stages
    names = sorted(stored.glob("*-*"), key=_age)
    begun = {path.name: _stage(path) for path in names if path.is_dir()}
    if not (root / "manifest.json").exists():
        if not begun:
            raise CodeprefError(f"{root}: neither manifest.json nor stages in this folder; give a build's --out folder")
        return Run(root, None, tuple(begun.values()))
    manifest = _manifest(root / "manifest.json")
    mine = [f"{item['stage']}-{item['key']}" for item in manifest["stages"]]
    stages = tuple(_stage(stored / name) for name in mine)
    return Run(root, manifest, stages, tuple(stage for name, stage in begun.items() if name not in mine))


def _stage(path: Path) -> Stage:
    name, _, key = path.name.rpartition("-")
    return Stage(path, name, key)


def _age(path: Path) -> tuple[int, str]:
    """When the first shard was written, or else the folder."""
    first = path / "00000.parquet"
    return int((first if first.exists() else path).stat().st_mtime * 1e6), path.name


def _manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(manifest, dict) or not {"method", "stages", "dataset", "config"} <= set(manifest):
            raise ValueError("keys are missing")
    except (OSError, ValueError) as error:
        raise CodeprefError(f"{path}: not a manifest of codepref ({error}); run the build again") from None
    return manifest


def overview(run: Run) -> str:
    """The whole run: state, versions, stages, what was left out, dataset, configuration."""
    method = f"{run.manifest['method']}, " if run.manifest else ""
    parts = [f"{run.root}: {method}{run.state}"]
    if run.manifest:
        parts[0] += "\n" + ", ".join(f"{name} {version}" for name, version in run.manifest["versions"].items())
    summaries = run.manifest["stages"] if run.manifest else [_summary(stage) for stage in run.stages]
    parts.append(_stages(summaries))
    dropped = [(s["stage"], e["kind"], e["rule"], f"{e['count']:,}") for s in summaries for e in s["excluded"]]
    if dropped:
        parts.append(table(("left out by", "kind", "rule", "count"), dropped, left=3))
    if run.others:
        parts.append("of other settings, in the same folder\n" + _stages(map(_summary, run.others)))
    if run.manifest:
        parts.append(_dataset(run.root, run.manifest["dataset"]))
        words = yaml.safe_dump(run.manifest["config"], sort_keys=False, allow_unicode=True, width=100)
        parts.append(f"configuration\n{_indented(words)}")
    return "\n\n".join(parts)


def _summary(stage: Stage) -> dict[str, Any]:
    if stage.done:
        return stage.summary()
    return {"stage": stage.name, "key": stage.key, "rows_in": None, **counted(stage)}


def _stages(summaries: Iterable[Mapping[str, Any]]) -> str:
    def row(item: Mapping[str, Any]) -> tuple[str, ...]:
        rows_in = "not done" if item["rows_in"] is None else f"{item['rows_in']:,}"
        return item["stage"], rows_in, f"{item['rows_out']:,}", f"{item['shards']:,}", item["key"]

    return table(("stage", "rows in", "rows out", "shards", "key"), [row(item) for item in summaries], right=4)


def _dataset(root: Path, parts: Mapping[str, Any]) -> str:
    def row(name: str, part: Mapping[str, Any]) -> tuple[str, ...]:
        size = sum(item["bytes"] for item in part["files"])
        here = all((root / item["file"]).exists() for item in part["files"])
        return name, f"{part['rows']:,}", f"{len(part['files']):,}", f"{size:,}", "" if here else "files are missing"

    return table(("dataset", "rows", "files", "bytes", ""), [row(*item) for item in parts.items()], right=4)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1, right: int = 99) -> str:
    """Columns under their heads: the first `left` ones and those from `right` on aligned to the left, others right."""
    columns = zip(heads, *rows, strict=True)
    widths = [max(map(len, column)) for column in columns]

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.ljust(width) if i < left or i >= right else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    return "\n".join(line(row) for row in (heads, *rows))


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def agreement(stored: Stage, other: Stage) -> str:
    """How the pairs of two stages of the same prompts, shard by shard, compare, and how sure each is."""
    counts, sure = Counter[str](), (array.array("d"), array.array("d"))
    for index in range(other.summary()["shards"]):
        before, after = _pairs(stored, index), _pairs(other, index)
        counts += _compared(before, after)
        for values, pairs in zip(sure, (after, before), strict=True):
            values.extend(confidence for *_, confidence in pairs.values())
    lines = [f"{len(sure[0]):,} pairs, stored {len(sure[1]):,}"]
    lines += [f"  {counts[words]:>7,} {words}" for words in _WORDS]
    quartiles = table(
        ("confidence", "lowest", "25 %", "50 %", "75 %", "highest"),
        [("these", *_quartiles(sure[0])), ("stored", *_quartiles(sure[1]))],
    )
    return "\n".join([*lines, quartiles])


_WORDS = ("same pair", "same chosen, another rejected", "turned round", "other codes", "new", "gone")
_Pairs = Mapping[tuple[str, int], tuple[str, str, float]]
"""Prompt id and which of its pairs -> chosen, rejected, confidence."""


def _compared(before: _Pairs, after: _Pairs) -> Counter[str]:
    both = [(before[name], after[name]) for name in after if name in before]
    same = sum(old[:2] == new[:2] for old, new in both)
    chosen = sum(old[0] == new[0] for old, new in both) - same
    turned = sum(old[:2] == new[1::-1] for old, new in both)
    others = len(both) - same - chosen - turned
    numbers = (same, chosen, turned, others, len(after) - len(both), len(before) - len(both))
    return Counter(dict(zip(_WORDS, numbers, strict=True)))


def _pairs(stage: Stage, index: int) -> _Pairs:
    seen, found = Counter[str](), {}
    for row in stage.read(index, PAIR).to_pylist():
        found[row["prompt_id"], seen[row["prompt_id"]]] = row["chosen"], row["rejected"], row["confidence"]
        seen[row["prompt_id"]] += 1
    return found


def _quartiles(values: "array.array[float]") -> list[str]:
    return [f"{value:.3f}" for value in np.percentile(values, [0, 25, 50, 75, 100])] if values else ["-"] * 5
