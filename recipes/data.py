"""The rows a recipe trains on: from a folder built by codepref, a file, a Hub id, or a Hub id with a tag (`id@tag`).

Every row is brought into one form (`rows`) and written to a file of Arrow's, which the trainer reads from disk: a
million rows are never in memory, and the processes of a run share the file. What was left out is counted beside it.
"""

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import rows
import signals
import source
from datasets import Dataset
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError
from trl import ScriptArguments

from codepref.errors import CodeprefError
from codepref.files import replacing, write_whole

FENCE, NEWLINE = "```python\n", "\n"
BATCH = 500
"""Rows that are held at once."""
LOT = 1000
"""Pairs that are taken apart together."""
FIRST = 3
"""Reasons that are told of rows that were left out."""
SIDES = {"pairs": ("chosen", "rejected"), "labelled": ("completion",), "completions": ("completion",)}
TURNS = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


@dataclass
class DataArguments(ScriptArguments):
    """What every recipe knows beside TRL's own keys."""

    dataset_name: str | None = field(
        default=None,
        metadata={"help": "Folder built by codepref, .jsonl(.gz), .json or .parquet file, Hub id, or Hub id@tag."},
    )
    chat: bool = field(
        default=False,
        metadata={"help": "Turn plain rows into a user and an assistant message, for models with a chat template."},
    )
    fenced: bool = field(
        default=False,
        metadata={"help": "Put plain codes into a ```python block, as chat models write them; answers with one stay."},
    )
    prompt_template: str | None = field(
        default=None,
        metadata={"help": "Text around each plain prompt, with {prompt} where it goes; for models without a template."},
    )
    eval_fraction: float = field(
        default=0.0,
        metadata={"help": "Share of the prompts kept out of training for evaluation, chosen by a hash of the prompt."},
    )
    skip_bad: bool = field(
        default=False, metadata={"help": "Leave out rows that can not be trained on, and count them; else they end it."}
    )
    resume_changed: bool = field(
        default=False,
        metadata={"help": "Go on from a checkpoint of other data or settings; the card then tells of both."},
    )


@dataclass(frozen=True)
class Rows:
    """Training rows, rows held out by `eval_fraction`, and what became of the rows as they were stored."""

    name: str
    train: Dataset
    held: Dataset | None
    report: dict[str, Any]
    """`read`, `kept`, `left out` (with --skip-bad), `sha256` of the kept rows, `notes` by count, `reasons`."""


def pairs(arguments: DataArguments, spans: bool = False, seed: int = 0) -> Rows:
    """Rows `prompt`, `chosen`, `rejected` for training and, with `eval_fraction`, for evaluation.

    Args:
        arguments: The dataset, how to word it, and what of its signals is listened to.
        spans: Keep `chosen_spans` and `rejected_spans`, and refuse a dataset without them.
        seed: Of the order among rows of one kind of error, with `error_order`.

    Raises:
        CodeprefError: the dataset can not be read, or a row can not be trained on.
    """
    found = _read(arguments, "pairs", spans)
    return replace(found, train=signals.ordered(found.train, arguments, seed))


def labelled(arguments: DataArguments, seed: int) -> Rows:
    """Rows `prompt`, `completion`, `label`, shuffled: TRL's KTO trainer reads in order and unpairs sorted by label."""
    found = _read(arguments, "labelled")
    held = found.held and found.held.shuffle(seed=seed).flatten_indices()
    return Rows(found.name, found.train.shuffle(seed=seed).flatten_indices(), held, found.report)


def completions(arguments: DataArguments) -> Rows:
    """Rows `prompt`, `completion`: the chosen side of pairs, the rows labelled good, or the dataset's own."""
    return _read(arguments, "completions")


def check(arguments: DataArguments) -> None:
    """Refuses keys that say nothing together, before anything is read.

    Raises:
        CodeprefError: no dataset, two ways to word a prompt, a template without a place for it, or streaming.
    """
    template = arguments.prompt_template
    if not arguments.dataset_name:
        raise CodeprefError(
            "dataset_name: missing; give a folder built by codepref, a file of rows, a Hub id or id@tag"
        )
    if arguments.dataset_streaming:
        raise CodeprefError("dataset_streaming: not supported; lengths are checked before training, so rows are read")
    if arguments.chat and template:
        raise CodeprefError("chat and prompt_template: give one of them; a chat model brings its own template")
    if template and "{prompt}" not in template:
        raise CodeprefError(f"prompt_template: {template!r} has no {{prompt}} in it")


def _read(arguments: DataArguments, kind: str, spans: bool = False) -> Rows:
    heard = signals.columns(arguments)
    wanted = rows.COLUMNS | set(heard.values())
    name = str(arguments.dataset_name)
    found = source.opened(name, arguments.dataset_config, arguments.dataset_train_split, wanted)
    code = [Path(module.__file__ or "").read_bytes() for module in (rows, signals, source)]
    code.append(Path(__file__).read_bytes())
    settings = [found.key, kind, spans, arguments.chat, arguments.fenced]
    settings += [arguments.prompt_template, arguments.skip_bad, heard]
    if signals.ENTROPY in heard:
        settings += [arguments.max_entropy, arguments.max_crash_rate]  # type: ignore[attr-defined]
    key = hashlib.sha256(b"".join(code) + json.dumps(settings).encode()).hexdigest()[:16]
    folder = Path(datasets.config.HF_DATASETS_CACHE) / "codepref" / key
    if not (folder / "report.json").is_file():
        _write(folder, found, arguments, kind, spans)
    dataset = Dataset.from_file(str(folder / "rows.arrow"))
    dataset._fingerprint = key  # what processes derive from it, they share
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    if kind == "labelled" and report["kept"] == 2 * report["paired"]:
        # good sides before bad ones, in lots: what the shuffle of `labelled` has always begun with
        dataset = dataset.select(sorted(range(len(dataset)), key=lambda i: (i // (2 * LOT), i % 2)))
    return Rows(name, *_split(dataset, arguments), report)


def _write(folder: Path, found: source.Source, arguments: DataArguments, kind: str, spans: bool) -> None:
    """Writes rows.arrow and, last, report.json; each is there as a whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    counts = ("read", "kept", "paired", "left out", "filtered", "alike", "labelled bad")
    report: dict[str, Any] = {**dict.fromkeys(counts, 0), "reasons": []}
    notes: Counter[str] = Counter()
    digest = hashlib.sha256()
    made = _worded(found, arguments, kind, spans, report, notes)
    first = next(made, None)
    if first is None:
        raise CodeprefError(_nothing_left(found.name, report))
    schema = _schema(first)
    rest = itertools.chain([first], made)
    with replacing(folder / "rows.arrow") as part, part.open("wb") as file, pa.ipc.new_stream(file, schema) as writer:
        while batch := list(itertools.islice(rest, BATCH)):
            digest.update(json.dumps(batch, sort_keys=True).encode())
            report["kept"] += len(batch)
            writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=schema))
    text = json.dumps({**report, "notes": dict(notes), "sha256": digest.hexdigest()})
    write_whole(folder / "report.json", text.encode())


def _schema(row: rows.Row) -> pa.Schema:
    spans = dict.fromkeys(rows.SPANS, pa.list_(pa.list_(pa.int64())))
    kinds = {"label": pa.bool_(), signals.CONFIDENCE: pa.float64(), **spans}
    return pa.schema(
        [(name, kinds.get(name, TURNS if isinstance(value, list) else pa.string())) for name, value in row.items()]
    )


def _nothing_left(name: str, report: dict[str, Any]) -> str:
    if report["alike"] and report["alike"] + report["left out"] == report["read"]:
        return (
            f"{name}: chosen and rejected are the same in all {report['alike']} rows; nothing can be learnt from them"
        )
    if report["filtered"]:
        return (
            f"{name}: no row is left, {report['filtered']} of {report['read']} have a semantic entropy or crash rate "
            "outside the limits; raise max_entropy or max_crash_rate"
        )
    if report["left out"]:
        return (
            f"{name}: no row is left, {report['left out']} of {report['read']} left out; first: {report['reasons'][0]}"
        )
    if report["labelled bad"]:
        return f"{name}: all {report['read']} rows are labelled bad; SFT trains on those labelled good, give some"
    return f"{name}: has no rows; {source.GIVE}"


def _worded(
    found: source.Source,
    arguments: DataArguments,
    kind: str,
    spans: bool,
    report: dict[str, Any],
    notes: Counter[str],
) -> Iterator[rows.Row]:
    """The rows in their one form and in the words that the model expects, each with its `place`."""
    shape, first_place = None, ""
    for raw in found.rows():
        report["read"] += 1
        try:
            if raw.value is None:
                raise rows.BadRow(raw.fault)
            made = _shaped(raw.value, kind, arguments.chat, spans, report, notes)
            said = signals.read(raw.value, arguments) if made else {}
            if said is None:
                report["filtered"] += 1
                continue
            for row in made:
                mine = "messages" if isinstance(row["prompt"], list) else "text"
                if shape not in (None, mine):
                    raise rows.BadData(f"has {mine}, where {first_place} has {shape}; give rows of one kind")
                shape, first_place = mine, first_place or raw.place
                yield {**_wording(row, arguments, SIDES[kind]), **said, "place": raw.place}
        except rows.BadRow as bad:
            remedy = "" if isinstance(bad, rows.BadData) else "; or leave such rows out with --skip-bad"
            if not remedy or not arguments.skip_bad:
                raise CodeprefError(f"{raw.place}: {bad}{remedy}") from None
            report["left out"] += 1
            if len(report["reasons"]) < FIRST:
                report["reasons"].append(f"{raw.place}: {bad}")


def _shaped(
    row: rows.Row, kind: str, chat: bool, spans: bool, report: dict[str, Any], notes: Counter[str]
) -> list[rows.Row]:
    """The training rows that one stored row makes: one, two (a labelled pair), or none."""
    if kind == "pairs":
        pair = rows.pair(row, chat, notes, spans)
        report["alike"] += pair["chosen"] == pair["rejected"]
        return [pair] if pair["chosen"] != pair["rejected"] else []
    if kind == "labelled":
        made = list(rows.labelled(row, chat, notes))
        report["paired"] += len(made) == 2
        return made
    wanted = "label" not in row or "chosen" in row or rows.label(row["label"])
    report["labelled bad"] += not wanted
    return [rows.single(row, chat, notes)] if wanted else []


def _wording(row: rows.Row, arguments: DataArguments, sides: tuple[str, ...]) -> rows.Row:
    """Plain rows with the text of `prompt_template` around the prompt, or as messages; messages as they are."""
    prompt, template = row["prompt"], arguments.prompt_template
    if isinstance(prompt, list):
        if template:
            raise rows.BadData(
                "has messages, which the model's own template words; leave prompt_template out: "
                "--set prompt_template=null"
            )
        return row
    if arguments.fenced:
        row = _fenced(row, sides)
    if template and prompt:
        return {**row, "prompt": template.replace("{prompt}", prompt)}
    if arguments.chat:
        said = {side: [{"role": "assistant", "content": row[side]}] for side in sides}
        return {**row, "prompt": [{"role": "user", "content": prompt}], **said}
    return row


def _fenced(row: rows.Row, sides: tuple[str, ...]) -> rows.Row:
    """Codes in a Markdown block, spans moved with them; a row whose answer begins with a block stays as it is."""
    if any(row[side].startswith("```") for side in sides):
        return row
    made = {side: f"{FENCE}{row[side]}{'' if row[side].endswith(NEWLINE) else NEWLINE}```" for side in sides}
    moved = {name: _shifted(row[name], len(FENCE)) for name in rows.SPANS if name in row}
    return {**row, **made, **moved}


def _shifted(spans: list[list[int]], by: int) -> list[list[int]]:
    return [[first + by, last + by] for first, last in spans]


def _split(dataset: Dataset, arguments: DataArguments) -> tuple[Dataset, Dataset | None]:
    """Training and held-out rows; all rows of a prompt fall on one side, whatever else is in the dataset."""
    if not arguments.eval_fraction:
        return dataset, None
    held = [_share(prompt) < arguments.eval_fraction for prompt in dataset["prompt"]]
    train = dataset.select([row for row, out in enumerate(held) if not out])
    evaluation = dataset.select([row for row, out in enumerate(held) if out])
    if not len(train) or not len(evaluation):
        raise CodeprefError(
            f"eval_fraction: {arguments.eval_fraction} of {len(dataset)} rows leaves {len(train)} to train on and "
            f"{len(evaluation)} to evaluate"
        )
    return train, evaluation


def _share(prompt: Any) -> float:
    """A number in [0, 1) that depends on the prompt alone."""
    digest = hashlib.sha256(json.dumps(prompt).encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64


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
    """What a builder's manifest says; the manifest of something else says nothing here."""
    data = path.read_bytes()
    try:
        manifest = json.loads(data)
        files = [item for part in manifest["dataset"].values() for item in part.get("files", ())]
        return {
            "method": manifest["method"],
            "manifest_sha256": hashlib.sha256(data).hexdigest(),
            "files": {item["file"]: item["sha256"] for item in files},
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
