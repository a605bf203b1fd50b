"""Manifests -> Markdown, through the templates in model_cards/."""

import array
import json
import typing
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from codepref import templates
from codepref.benchmarks import benchmark_of
from codepref.licences import combined, hub_licence

EXAMPLE = {
    "prompt": "text",
    "chosen": "python",
    "rejected": "python",
    "completion": "python",
    "label": "",
    "confidence": "",
}
"""Columns that the card's example row shows, where the dataset has them, and their language (none: one line)."""

NEEDED = ("prompt_id", "generator", "licence")
"""Columns that every dataset has: the card warns of benchmark tasks, and names models and licences, by them."""


@dataclass(frozen=True)
class Card:
    """What a method says about its dataset."""

    pretty_name: str
    summary: str
    method: str
    citation: str
    tags: tuple[str, ...]
    licence: str | None = None
    sections: tuple[tuple[str, str], ...] = ()
    """Title and Markdown of what only this method has to tell, such as its yields. An image lies in `figures/` of the
    build folder and is named by that relative path."""


def dataset_card(root: Path, manifest: Mapping[str, Any], card: Card, records: Mapping[str, type]) -> str:
    """The dataset card of a build folder, YAML front matter included.

    Args:
        root: The build folder; its Parquet files are read for the statistics.
        manifest: The build's manifest.
        card: The method's words.
        records: Record class of each dataset config.
    """
    parts = [
        {"name": name, "columns": columns(record), **manifest["dataset"][name], **_statistics(root, manifest, name)}
        for name, record in records.items()
    ]
    values = {
        "front": _front_matter(root, manifest, card, parts),
        "card": card,
        "parts": parts,
        "example": EXAMPLE,
        "manifest": manifest,
        "benchmarks": sorted({name for part in parts for name in part["benchmarks"]}),
        "stages": manifest["stages"],
        "decontamination": _decontamination(manifest),
    }
    environment = templates.environment()
    environment.filters["json"] = lambda value: json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
    environment.filters["code_block"] = code_block
    return environment.get_template("dataset.md.jinja").render(values).rstrip() + "\n"


def check_columns(name: str, record: type) -> None:
    """Raises `TypeError` for a record class that lacks a column the card is made of."""
    missing = [column for column in NEEDED if column not in columns(record)]
    if missing:
        raise TypeError(f"rows of {name!r}: {record.__name__} has no field {missing[0]!r}; the card needs it")


def columns(record: type) -> dict[str, str]:
    """Column name -> what it holds, from the annotations of a record class."""
    hints = typing.get_type_hints(record, include_extras=True)
    return {name: next(iter(getattr(hint, "__metadata__", [""]))) for name, hint in hints.items()}


def _decontamination(manifest: Mapping[str, Any]) -> dict[str, Any] | None:
    """The rule by which this dataset was compared with benchmarks, and what fell under it; None: it was not."""
    stages = [stage for stage in manifest["stages"] if "benchmarks" in (stage["depends"]["settings"] or {})]
    if not stages:
        return None
    removed = Counter[str]()
    for stage in stages:
        for item in stage["excluded"]:
            if item["rule"].startswith("benchmark"):
                removed[item["kind"]] += item["count"]
    return {**stages[0]["depends"]["settings"], "prompts": removed["prompt"], "codes": removed["code"]}


def code_block(text: str, language: str = "python") -> str:
    """A fenced block whose fence is longer than any inside."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _statistics(root: Path, manifest: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What the card says about one dataset config; reads only the columns it needs."""
    files = [root / item["file"] for item in manifest["dataset"][name]["files"]]
    ids: Counter[str | None] = Counter()
    licences: Counter[str] = Counter()
    generators: Counter[str] = Counter()
    verdicts: Counter[str] = Counter()
    confidence = array.array("d")
    example = None
    wanted = ["prompt_id", "licence", "generator", "confidence", "verdict_counts"]
    for path in files:
        has = set(pq.read_schema(path).names)
        for batch in pq.ParquetFile(path).iter_batches(1000, columns=[column for column in wanted if column in has]):
            ids.update(benchmark_of(prompt_id) for prompt_id in batch["prompt_id"].to_pylist())
            licences.update(value or "not stated" for value in batch["licence"].to_pylist())
            generators.update(value or "not stated" for value in batch["generator"].to_pylist())
            for counts in batch["verdict_counts"].to_pylist() if "verdict_counts" in has else ():
                verdicts.update(counts)
            confidence.extend(pc.fill_null(batch["confidence"], 0.0).to_pylist() if "confidence" in has else [])
            example = example or _example(path)
    quartiles = np.percentile(confidence, [0, 25, 50, 75, 100]).round(3).tolist() if confidence else []
    return {
        "benchmarks": sorted(benchmark for benchmark in ids if benchmark),
        "licences": dict(sorted(licences.items())),
        "generators": dict(sorted(generators.items())),
        "verdicts": {verdict: count for verdict, count in verdicts.items() if count},
        "confidence": quartiles,
        "example": example,
    }


def _example(path: Path) -> dict[str, Any]:
    """The row of median length among the first thousand: neither the shortest nor the longest."""
    has = pq.read_schema(path).names
    shown = [name for name in EXAMPLE if name in has]
    rows = next(pq.ParquetFile(path).iter_batches(1000, columns=shown))
    text = next((name for name in ("chosen", "completion") if name in has), shown[0])
    order = np.argsort(pc.binary_length(rows[text]).to_numpy(), kind="stable")
    return rows.slice(int(order[len(order) // 2]), 1).to_pylist()[0]  # type: ignore[no-any-return]


def _front_matter(root: Path, manifest: Mapping[str, Any], card: Card, parts: list[dict[str, Any]]) -> str:
    import datasets
    from datasets.info import DatasetInfosDict
    from huggingface_hub import DatasetCardData

    rows = sum(part["rows"] for part in parts)
    data = DatasetCardData(
        pretty_name=card.pretty_name,
        **_licence(card, parts),
        language=["en", "code"],
        task_categories=["text-generation"],
        tags=list(card.tags),
        size_categories=[_size_category(rows)],
        annotations_creators=["machine-generated"],
        configs=[
            {
                "config_name": part["name"],
                "data_files": [{"split": "train", "path": f"{part['name']}/train-*"}],
                **({"default": True} if index == 0 else {}),
            }
            for index, part in enumerate(parts)
        ],
    )
    infos = DatasetInfosDict()
    for part in parts:
        features = datasets.Features.from_arrow_schema(pq.read_schema(root / part["files"][0]["file"]))
        size = sum(item["bytes"] for item in part["files"])
        split = datasets.SplitInfo("train", num_bytes=part["num_bytes"], num_examples=part["rows"])
        infos[part["name"]] = datasets.DatasetInfo(
            features=features,
            splits=datasets.SplitDict({"train": split}),
            download_size=size,
            dataset_size=part["num_bytes"],
        )
    infos.to_dataset_card_data(data)
    return data.to_yaml()  # type: ignore[no-any-return]


def _licence(card: Card, parts: list[dict[str, Any]]) -> dict[str, str | None]:
    """The stated licence; else the one all prompts share; else `other`; in the Hub's words."""
    named = {licence for part in parts for licence in part["licences"]}
    known = set() if "not stated" in named else named
    found = hub_licence(card.licence) if card.licence else combined(known)
    return {"license": found["licence"], "license_name": found["licence_name"]}


def _size_category(rows: int) -> str:
    """The Hub's name for the size of a dataset."""
    bounds = [(1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")]
    return next((name for bound, name in bounds if rows < bound), "1M<n<10M")
