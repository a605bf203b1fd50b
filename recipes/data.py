"""The rows a recipe trains on: from a folder built by codepref, a Hub id, or a Hub id with a tag (`id@tag`)."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasets import Dataset, load_dataset
from datasets.exceptions import DatasetNotFoundError
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from trl import ScriptArguments

from codepref.errors import CodeprefError

FILES = {".jsonl": "json", ".json": "json", ".parquet": "parquet"}
SPANS = ("chosen_spans", "rejected_spans")


@dataclass
class DataArguments(ScriptArguments):
    """What every recipe knows beside TRL's own keys."""

    dataset_name: str | None = field(
        default=None, metadata={"help": "Folder built by codepref, .jsonl or .parquet file, Hub id, or Hub id@tag."}
    )
    chat: bool = field(
        default=False,
        metadata={"help": "Turn plain rows into a user and an assistant message, for models with a chat template."},
    )
    prompt_template: str | None = field(
        default=None,
        metadata={"help": "Text around each plain prompt, with {prompt} where it goes; for models without a template."},
    )
    eval_fraction: float = field(
        default=0.0,
        metadata={"help": "Share of the prompts kept out of training for evaluation, chosen by a hash of the prompt."},
    )


def load(arguments: DataArguments) -> Dataset:
    """The training split as it is stored.

    Raises:
        CodeprefError: no such dataset, config or split, or it has no rows; what to give instead is named.
    """
    name = arguments.dataset_name
    if not name:
        raise CodeprefError("dataset_name: missing; give a folder built by codepref, a Hub id or id@tag")
    if arguments.dataset_streaming:
        raise CodeprefError("dataset_streaming: not supported; lengths are checked before training, so rows are read")
    try:
        dataset = _open(name, arguments)
    except (DatasetNotFoundError, HFValidationError, FileNotFoundError, ConnectionError, ValueError) as error:
        said = str(error).partition("\n")[0]
        raise CodeprefError(
            f"{name}: {said}; give a folder built by codepref (codepref build ... --out DIR), a Hub id or id@tag"
        ) from None
    if not len(dataset):
        raise CodeprefError(f"{name}: split {arguments.dataset_train_split!r} has no rows")
    return dataset


def _open(name: str, arguments: DataArguments) -> Dataset:
    path, split = Path(name), arguments.dataset_train_split
    if path.is_file():
        if path.suffix not in FILES:
            raise ValueError(f"unknown kind of file, known are {', '.join(FILES)}")
        return load_dataset(FILES[path.suffix], data_files=name, split=split)
    if path.is_dir():
        return load_dataset(name, arguments.dataset_config, split=split)
    repository, _, tag = name.partition("@")
    if repository.count("/") != 1 or name.startswith((".", "/")):
        raise ValueError("no such folder, and not a Hub id")
    return load_dataset(repository, arguments.dataset_config, split=split, revision=tag or None)


def lineage(arguments: DataArguments) -> dict[str, Any]:
    """Where the rows come from: name, tag, commit, and what the builder's manifest says, where there is one."""
    name = str(arguments.dataset_name)
    if Path(name).exists():
        path = Path(name) / "manifest.json"
        known: dict[str, Any] = {"name": Path(name).resolve().name, "config": arguments.dataset_config, "local": True}
        return {**known, **(_manifest(path) if path.is_file() else {})}
    repository, _, tag = name.partition("@")
    known = {"name": repository, "tag": tag or None, "config": arguments.dataset_config, "local": False}
    try:
        path = Path(hf_hub_download(repository, "manifest.json", repo_type="dataset", revision=tag or None))
    except (HfHubHTTPError, OSError):
        return known  # a dataset of others has no manifest of ours
    return {**known, "revision": path.parent.name, **_manifest(path)}


def _manifest(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    manifest = json.loads(data)
    files = [item for part in manifest["dataset"].values() for item in part.get("files", ())]
    return {
        "method": manifest["method"],
        "manifest_sha256": hashlib.sha256(data).hexdigest(),
        "files": {item["file"]: item["sha256"] for item in files},
    }


def need(dataset: Dataset, columns: Sequence[str], name: str | None, remedy: str) -> None:
    """Raises CodeprefError when a column is missing; the remedy ends the line."""
    missing = [column for column in columns if column not in dataset.column_names]
    if missing:
        there = ", ".join(dataset.column_names)
        raise CodeprefError(f"{name}: no column {', '.join(missing)} (it has {there}); {remedy}")


def pairs(arguments: DataArguments, spans: bool = False) -> tuple[Dataset, Dataset | None]:
    """Rows `prompt`, `chosen`, `rejected` for training and, with `eval_fraction`, for evaluation.

    Args:
        arguments: The dataset and how to word it.
        spans: Keep `chosen_spans` and `rejected_spans`, and refuse a dataset without them.
    """
    dataset, name = load(arguments), arguments.dataset_name
    need(dataset, ("prompt", "chosen", "rejected"), name, "give a dataset of preference pairs")
    if spans:
        need(dataset, SPANS, name, "focal DPO with focus: lines needs a dataset with spans, such as one of CodeFlow")
    kept = ["prompt", "chosen", "rejected", *(SPANS if spans else ())]
    return _split(_worded(dataset.select_columns(kept), arguments), arguments)


def labelled(arguments: DataArguments, seed: int) -> tuple[Dataset, Dataset | None]:
    """Rows `prompt`, `completion`, `label`, shuffled: TRL's KTO trainer reads in order and unpairs sorted by label."""
    dataset, name = load(arguments), arguments.dataset_name
    if {"chosen", "rejected"} <= set(dataset.column_names):
        dataset = _unpaired(dataset)
    need(dataset, ("prompt", "completion", "label"), name, "give pairs, or rows with a completion and a label")
    dataset = _worded(dataset.select_columns(["prompt", "completion", "label"]), arguments)
    train, held = _split(dataset, arguments)
    return train.shuffle(seed=seed).flatten_indices(), held and held.shuffle(seed=seed).flatten_indices()


def completions(arguments: DataArguments) -> tuple[Dataset, Dataset | None]:
    """Rows `prompt`, `completion`: the chosen side of pairs, the rows labelled good, or the dataset's own."""
    dataset, name = load(arguments), arguments.dataset_name
    if "chosen" in dataset.column_names:
        dataset = dataset.select_columns(["prompt", "chosen"]).rename_column("chosen", "completion")
    elif "label" in dataset.column_names:
        dataset = dataset.filter(lambda label: label, input_columns="label")
    need(dataset, ("prompt", "completion"), name, "give pairs, or rows with a prompt and a completion")
    return _split(_worded(dataset.select_columns(["prompt", "completion"]), arguments), arguments)


def _unpaired(dataset: Dataset) -> Dataset:
    def both(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        count = len(batch["prompt"])
        return {
            "prompt": batch["prompt"] * 2,
            "completion": batch["chosen"] + batch["rejected"],
            "label": [True] * count + [False] * count,
        }

    return dataset.map(both, batched=True, remove_columns=dataset.column_names)


def _worded(dataset: Dataset, arguments: DataArguments) -> Dataset:
    """Plain rows in the words the model expects; rows that are messages already stay as they are."""
    if arguments.chat and arguments.prompt_template:
        raise CodeprefError("chat and prompt_template: give one of them; a chat model brings its own template")
    template = arguments.prompt_template
    if template and "{prompt}" not in template:
        raise CodeprefError(f"prompt_template: {template!r} has no {{prompt}} in it")
    plain = isinstance(dataset[0]["prompt"], str)
    if not plain or not (arguments.chat or template):
        return dataset
    if template:
        return dataset.map(lambda row: {"prompt": template.replace("{prompt}", row["prompt"])})
    answers = [column for column in ("chosen", "rejected", "completion") if column in dataset.column_names]
    return dataset.map(_messages, fn_kwargs={"answers": answers})


def _messages(row: dict[str, Any], answers: list[str]) -> dict[str, Any]:
    said = {column: [{"role": "assistant", "content": row[column]}] for column in answers}
    return {"prompt": [{"role": "user", "content": row["prompt"]}], **said}


def _split(dataset: Dataset, arguments: DataArguments) -> tuple[Dataset, Dataset | None]:
    """Training and held-out rows; all rows of a prompt fall on one side, whatever else is in the dataset."""
    if not arguments.eval_fraction:
        return dataset, None
    held = [_share(prompt) < arguments.eval_fraction for prompt in dataset["prompt"]]
    parts = [dataset.select([i for i, out in enumerate(held) if out is side]) for side in (False, True)]
    if not all(map(len, parts)):
        raise CodeprefError(
            f"eval_fraction: {arguments.eval_fraction} of {len(dataset)} rows leaves {len(parts[0])} to train on and "
            f"{len(parts[1])} to evaluate"
        )
    return parts[0], parts[1]


def _share(prompt: Any) -> float:
    """A number in [0, 1) that depends on the prompt alone."""
    digest = hashlib.sha256(json.dumps(prompt).encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64
