"""The published dataset as a local folder that `datasets.load_dataset` opens.

DIR/README.md                 card, with the YAML that `load_dataset` reads
DIR/CONFIG/train-*.parquet    rows, written exactly as the Hub's own client writes them
DIR/exclusions.jsonl          everything that was left out, and why
DIR/manifest.json             how all of it was made; no times, so two equal builds have equal manifests
DIR/stages/                   the run itself (not part of the dataset)
"""

import dataclasses
import itertools
import json
import platform
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from codepref import __version__
from codepref.errors import CodeprefError
from codepref.files import file_hash, replacing, write_lines, write_whole
from codepref.publish import cards
from codepref.records import schema
from codepref.stages import stage_line
from codepref.store import Stage, Store

ROWS_PER_FILE = 50_000
ROWS_PER_GROUP = 1_000
CHUNKING = {"min_chunk_size": 256 * 1024, "max_chunk_size": 1024 * 1024, "norm_level": 0}
"""Where pages end, by content: what did not change is not uploaded again. The Hub's own client has the same."""
PRIVATE = {"base_url", "api_key_env", "max_cost", "gpu_tokens_per_second"}
"""Keys that no manifest and no card holds: addresses, and what cost is judged by or limited to."""


class NoRows(CodeprefError):
    """A build made not one row; its manifest and exclusions are written and say why."""


def publish_locally(
    store: Store,
    method: str,
    config: Any,
    chain: Sequence[Stage],
    card: cards.Card,
    parts: Mapping[str, tuple[Stage, type]],
) -> dict[str, Any]:
    """Writes data, exclusions, manifest and, last, the card.

    Args:
        store: The run's folder.
        method: Name of the method.
        config: Its configuration, a dataclass or what `dataclasses.asdict` makes of one.
        chain: All stages of the run, first to last.
        card: The method's words.
        parts: Dataset configs: name -> the stage that holds its rows and their record class. The first is the default.
            One without rows stands in the manifest alone: `load_dataset` can not open it.

    Returns:
        The manifest.

    Raises:
        NoRows: there is not one row; manifest and exclusions say why.
        TypeError: a record class lacks a column that every dataset has (`cards.NEEDED`).
    """
    for name, (_, record) in parts.items():
        cards.check_columns(name, record)
    (store.root / "README.md").unlink(missing_ok=True)  # a folder without a card is not finished
    data = {name: _write_part(store.root, name, *part) for name, part in parts.items()}
    filled = {name: part[1] for name, part in parts.items() if data[name]["rows"]}
    _remove_others(store.root, filled)
    exclusions = (item for stage in chain for item in stage.excluded())
    left_out = write_lines(store.root / "exclusions.jsonl", map(json.dumps, map(dataclasses.asdict, exclusions)))
    manifest = {
        "method": method,
        "versions": versions(),
        "config": _public(dict(config) if isinstance(config, Mapping) else dataclasses.asdict(config)),
        "stages": [stage.summary() for stage in chain],
        "dataset": data,
        "exclusions": {"file": "exclusions.jsonl", "count": left_out},
    }
    write_whole(store.root / "manifest.json", json.dumps(manifest, indent=1, sort_keys=True).encode() + b"\n")
    if not filled:
        rules = "; ".join(stage_line(stage.summary()) for stage in chain)
        raise NoRows(f"{store.root}: not one row came out, so there is no dataset; {rules}; see exclusions.jsonl")
    text = cards.dataset_card(store.root, manifest, card, filled)
    write_whole(store.root / "README.md", text.encode())
    return manifest


def versions() -> dict[str, str]:
    """Versions that decide the bytes of a dataset."""
    import datasets

    return {
        "codepref": __version__,
        "python": platform.python_version(),
        "pyarrow": pa.__version__,
        "datasets": datasets.__version__,
    }


def _public(value: Any) -> Any:
    """A configuration without the paths and addresses of the machine it ran on."""
    if isinstance(value, dict):
        return {key: _public(item) for key, item in value.items() if key not in PRIVATE}
    if isinstance(value, list | tuple):
        return [_public(item) for item in value]
    if isinstance(value, str) and value.startswith("hub:"):
        return ":".join(_public(part) for part in value.split(":"))
    if isinstance(value, str) and value and Path(value).exists():
        return Path(value).resolve().name
    return value


def _write_part(root: Path, name: str, stage: Stage, record: type) -> dict[str, Any]:
    folder = root / name
    rows = stage.summary()["rows_out"]
    if not rows:
        return {"rows": 0, "num_bytes": 0, "files": []}
    folder.mkdir(exist_ok=True)
    count = -(-rows // ROWS_PER_FILE)
    files, size, groups = [], 0, _groups(stage, record)
    for index in range(count):
        path = folder / f"train-{index:05d}-of-{count:05d}.parquet"
        with replacing(path) as part:
            size += _write_file(part, record, itertools.islice(groups, ROWS_PER_FILE // ROWS_PER_GROUP))
        files.append({"file": f"{name}/{path.name}", "bytes": path.stat().st_size, "sha256": file_hash(path)})
    for old in folder.iterdir():
        if f"{name}/{old.name}" not in {item["file"] for item in files}:
            old.unlink()
    return {"rows": rows, "num_bytes": size, "files": files}


def _write_file(path: Path, record: type, groups: Iterable[pa.Table]) -> int:
    """Writes one file, a row group at a time; bytes of the rows in memory.

    The bytes are those of `datasets.Dataset.to_parquet`, which wants to hold all rows of the file.
    """
    import datasets

    columns = datasets.Features.from_arrow_schema(schema(record)).arrow_schema
    with pq.ParquetWriter(path, columns, use_content_defined_chunking=CHUNKING, write_page_index=True) as writer:
        size = 0
        for group in groups:
            writer.write_table(group.replace_schema_metadata(columns.metadata))
            size += group.nbytes
        writer.add_key_value_metadata({"content_defined_chunking": json.dumps(CHUNKING)})
    return size


def _remove_others(root: Path, names: Container[str]) -> None:
    """Removes dataset configs of an earlier build, which `load_dataset` would still find."""
    for path in [*root.glob("*/train-*.parquet"), *root.glob("*/train-*.part*")]:
        if path.parent.name not in names:
            path.unlink()
            if not any(path.parent.iterdir()):
                path.parent.rmdir()


def _groups(stage: Stage, record: type) -> Iterator[pa.Table]:
    """The rows of a stage in tables of `ROWS_PER_GROUP`; the last one may have fewer."""
    held, rows = [schema(record).empty_table()], 0
    for index in range(stage.summary()["shards"]):
        held.append(stage.read(index))
        rows += held[-1].num_rows
        while rows >= ROWS_PER_GROUP:
            table = pa.concat_tables(held)
            yield table.slice(0, ROWS_PER_GROUP).combine_chunks()
            held = [table.slice(ROWS_PER_GROUP)]
            rows -= ROWS_PER_GROUP
    if rows:
        yield pa.concat_tables(held).combine_chunks()
