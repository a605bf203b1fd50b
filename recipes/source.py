"""Training rows as they are stored, one at a time: JSON lines, JSON, Parquet, folders, the Hub.

A file is never read whole. Each row comes with its place ("pairs.jsonl, line 3"), and what can not be read comes as a
row with its fault, so that the reader decides whether that ends the run.
"""

import functools
import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset, DatasetDict, load_dataset, load_from_disk
from datasets.exceptions import DatasetsError
from huggingface_hub.errors import HFValidationError

from codepref import reach
from codepref.errors import CodeprefError
from codepref.files import BadLine, json_lines, json_word

KINDS = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".parquet")
"""Ends of file names that are read."""
BLOCK = 1 << 20
LONGEST = 64 << 20
"""Characters of one row, at most: a list that is broken in one place is not read to its end for it."""
GIVE = "give a folder built by codepref (codepref build ... --out DIR), a file of rows, a Hub id or id@tag"


@dataclass(frozen=True, slots=True)
class Raw:
    """A row as it is stored; `fault` says why there is no value."""

    place: str
    value: dict[str, Any] | None
    fault: str = ""


@dataclass(frozen=True)
class Source:
    """Rows that can be read from the start as often as wanted."""

    name: str
    key: str
    """Changes when the rows do."""
    rows: Callable[[], Iterator[Raw]]


def opened(name: str, config: str | None, split: str, wanted: frozenset[str]) -> Source:
    """The rows of a file, a folder or a dataset on the Hub (`id` or `id@tag`).

    Args:
        name: Where they are.
        config: Dataset config, for folders and the Hub.
        split: Split, for folders and the Hub; a file has one, `train`.
        wanted: Columns that are read of Parquet and Hub datasets.

    Raises:
        CodeprefError: nothing there, a kind of file nobody reads, no such config or split.
    """
    path = Path(name)
    if path.is_file():
        return _files(name, [path], split)
    lines = sorted(item for item in path.glob("*") if item.name.endswith((".jsonl", ".jsonl.gz")))
    tabular = next(path.rglob("*.parquet"), None) or next(path.glob("*.arrow"), None) or _is_saved(path)
    if lines and not tabular:
        return _files(name, lines, split)
    try:
        dataset = _dataset(name, config, split)
    except (DatasetsError, HFValidationError, OSError, RuntimeError, ValueError) as error:
        said = str(error).partition("\n")
        if config is None and "available configs" in said[2]:  # what there is stands in the lines behind the first one
            among = said[2].partition("[")[2].partition("]")[0].replace("'", "")
            raise CodeprefError(f"{name}: has several configs; give dataset_config, one of {among}") from None
        raise CodeprefError(f"{name}: {said[0]}; {GIVE}") from None
    there = dataset.column_names
    shown = [column for column in there if column in wanted]
    label = Path(name).name if path.is_dir() else name
    if not shown and len(dataset):
        raise CodeprefError(f"{name}: no column of training rows (it has {', '.join(there)}); rename them, or {GIVE}")
    return Source(name, dataset._fingerprint, functools.partial(_of_dataset, dataset.select_columns(shown), label))


def _is_saved(path: Path) -> bool:
    """Whether this is a folder of `Dataset.save_to_disk`."""
    return (path / "state.json").is_file() or (path / "dataset_dict.json").is_file()


def _dataset(name: str, config: str | None, split: str) -> Dataset:
    path = Path(name)
    if path.is_dir():
        if not _is_saved(path):
            return load_dataset(name, config, split=split)
        found = load_from_disk(name)
        if isinstance(found, DatasetDict) and split not in found:
            raise ValueError(f"no split {split!r}, it has {', '.join(found)}")
        return found[split] if isinstance(found, DatasetDict) else found
    repository, _, tag = name.partition("@")
    if is_path(repository):
        raise ValueError(no_folder(repository))
    with reach.quick_to_fail(repository):
        return load_dataset(repository, config, split=split, revision=tag or None)


def is_path(name: str) -> bool:
    """Whether a name that is not on this machine was meant as a path: it is not to be looked up on the Hub then.

    `runs/mine` looks like an owner and a name; that `runs` is a folder here says what was meant.
    """
    return name.count("/") != 1 or name.startswith((".", "/", "~")) or Path(name).parent.is_dir()


def no_folder(name: str) -> str:
    """Why a name is not looked up on the Hub, and what to do if it is to be."""
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        return f"no such folder (there is {Path(name).parent}/ here; if you mean the Hub's {name}, run from elsewhere)"
    return "no such folder, and not a Hub id"


def _files(name: str, paths: list[Path], split: str) -> Source:
    unknown = next((path for path in paths if not path.name.endswith(KINDS)), None)
    if unknown:
        raise CodeprefError(f"{name}: unknown kind of file, known are {', '.join(KINDS)}; {GIVE}")
    if split != "train":
        raise CodeprefError(f"{name}: no split {split!r}, a file has one, train; leave dataset_train_split out")
    states = [(path.resolve().as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    return Source(name, json.dumps(states), functools.partial(_of_files, paths))


def _of_files(paths: list[Path]) -> Iterator[Raw]:
    for path in paths:
        try:
            if path.suffix == ".parquet":
                yield from _of_parquet(path)
            elif ".jsonl" in path.suffixes[-2:] or _first_character(path) != b"[":
                yield from _of_lines(path)
            else:
                yield from _of_list(path)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise CodeprefError(f"{path}: not a whole gzip file ({error}); copy or compress it again") from None
        except pa.ArrowException as error:
            said = str(error).partition("\n")[0]
            raise CodeprefError(f"{path}: not a whole Parquet file ({said}); write or copy it again") from None


def _bytes(path: Path) -> Any:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _first_character(path: Path) -> bytes:
    with _bytes(path) as file:
        return bytes(file.read(BLOCK).removeprefix(b"\xef\xbb\xbf").lstrip()[:1])


def _of_lines(path: Path) -> Iterator[Raw]:
    for number, item in json_lines(path):
        place = f"{path.name}, line {number}"
        if not isinstance(item, BadLine):
            yield Raw(place, item)
        elif "gzip" in item.problem:
            raise CodeprefError(str(item))  # nobody knows how many lines are lost with it
        else:
            yield Raw(place, None, f"{item.problem}; {item.remedy}")


def _of_list(path: Path) -> Iterator[Raw]:
    """The objects of one JSON list, read in blocks: each is decoded as soon as it is there as a whole."""
    decoder, text, number, ended = json.JSONDecoder(), "", 0, False
    with _bytes(path) as binary:
        file = _text(path, binary)
        text = next(file, "").lstrip("\ufeff \t\r\n")[1:]
        while True:
            text = text.lstrip(" \t\r\n,")
            if text.startswith("]"):
                return
            place = f"{path.name}, row {number + 1}"
            try:
                value, end = decoder.raw_decode(text)
                whole = ended or end < len(text)  # a number could go on in the next block
            except (json.JSONDecodeError, RecursionError) as error:
                value, end, whole = error, 0, False
            if whole:
                text, number = text[end:], number + 1
                fault = (
                    ""
                    if isinstance(value, dict)
                    else f"{json_word(value)}, not a row; give JSON objects with named columns"
                )
                yield Raw(place, None if fault else value, fault)
                continue
            if ended or len(text) > LONGEST:
                yield Raw(place, None, f"not JSON ({value}); give one JSON object a line")
                return
            block = next(file, "")
            ended, text = not block, text + block


def _text(path: Path, binary: Any) -> Iterator[str]:
    import codecs

    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while block := binary.read(BLOCK):
            yield decoder.decode(block)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise CodeprefError(f"{path}: not UTF-8 ({error.reason}); save it as UTF-8: iconv -f latin1 -t utf-8") from None


def _of_parquet(path: Path) -> Iterator[Raw]:
    number = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(256):
            for row in batch.to_pylist():
                number += 1
                yield Raw(f"{path.name}, row {number}", row)


def _of_dataset(dataset: Dataset, name: str) -> Iterator[Raw]:
    for number, row in enumerate(dataset, 1):
        yield Raw(f"{name}, row {number}", row)
