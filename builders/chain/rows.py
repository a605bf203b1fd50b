"""Rows of a file of the user: JSON lines, JSON or Parquet, plain or gzip."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from codepref.errors import CodeprefError

SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".parquet")


def read(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows with their line numbers (from 1; in a JSON list or Parquet file: positions), blank lines passed over.

    Raises:
        CodeprefError: the file can not be read, or a line is no JSON object; file, line and remedy are named.
    """
    if not path.name.endswith(SUFFIXES):
        raise CodeprefError(f"{path}: unknown kind of file; give one that ends in {', '.join(SUFFIXES)}")
    try:
        yield from _parquet(path) if path.suffix == ".parquet" else _json(path)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, pa.ArrowInvalid) as error:
        said = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise CodeprefError(f"{path}: {said}; give a file that can be read ({', '.join(SUFFIXES)})") from None


def _parquet(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    for batch in pq.ParquetFile(path).iter_batches(256):
        for row in batch.to_pylist():
            number += 1
            yield number, row


def _json(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        if ".jsonl" in path.suffixes:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, _object(path, number, line)
        else:
            rows = _parsed(path, 1, file.read())
            for number, row in enumerate(rows if isinstance(rows, list) else [rows], 1):
                yield number, _checked(path, number, row)


def _object(path: Path, number: int, line: str) -> dict[str, Any]:
    return _checked(path, number, _parsed(path, number, line))


def _parsed(path: Path, number: int, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CodeprefError(f"{path}:{number}: not JSON ({error}); write one object a line") from None


def _checked(path: Path, number: int, row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise CodeprefError(f"{path}:{number}: expected a JSON object, found a {type(row).__name__}")
    return row
