"""Files in and out: JSON lines with the place of whatever is wrong, hashes, and writing whole or not at all."""

import fcntl
import gzip
import hashlib
import json
import os
import platform
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from codepref.errors import CodeprefError

SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".parquet")
GZIP_MAGIC = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
BATCH_ROWS = 256
SPREAD_OUT = re.compile(rb"\s*(\[\s*\{.*|[\[{]\s*)", re.DOTALL)
"""First line of a file that is one JSON value: a list of objects, or an object over several lines."""
JSON_WORDS = {
    dict: "an object",
    list: "a list",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
}


@dataclass(frozen=True)
class BadLine:
    """A line that can not be used. `str()` gives `FILE:LINE: what is wrong; remedy`."""

    path: str
    line: int
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.problem}; {self.remedy}"


class LineError(Exception):
    """What is wrong with a line, and what to do about it; whoever reads the file adds the place."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


def json_lines(path: str | Path, unique_keys: bool = False) -> Iterator[tuple[int, dict[str, Any] | BadLine]]:
    """Numbers (from 1) and objects of a JSON-lines file, plain or gzip, UTF-8 with or without a byte order mark.

    Blank lines are passed over. What can not be used comes as a `BadLine`, in its place.

    Args:
        path: The file; that it is gzip is seen by its first bytes, not by its name.
        unique_keys: A key that an object holds twice makes the line a bad one.

    Raises:
        CodeprefError: the file can not be opened, or is one JSON value in place of lines.
    """
    number = 0
    first = True
    try:
        with _open(Path(path)) as stream:
            for number, raw in enumerate(stream, start=1):
                data = raw.removeprefix(BYTE_ORDER_MARK) if number == 1 else raw
                if not data.strip():
                    continue
                if first and SPREAD_OUT.fullmatch(data):
                    raise CodeprefError(_not_lines(path, data))
                first = False
                yield number, _line(str(path), number, data, unique_keys)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        damaged = f"the gzip stream is damaged ({error})"
        yield number + 1, BadLine(str(path), number + 1, damaged, "copy or compress the file again")
    except OSError as error:
        raise CodeprefError(f"{path}: {error.strerror or error}; name a .jsonl or .jsonl.gz file") from None


def _not_lines(path: str | Path, data: bytes) -> str:
    is_list = data.lstrip().startswith(b"[")
    kind, words = ("a JSON list", "'.[]'") if is_list else ("JSON over several lines", ".")
    return f"{path}: {kind}, not JSON lines; write one object a line, e.g. jq -c {words} FILE > FILE.jsonl"


def _open(path: Path) -> IO[bytes] | gzip.GzipFile:
    stream = path.open("rb")
    magic = stream.read(2)
    stream.seek(0)
    if magic != GZIP_MAGIC:
        return stream
    stream.close()
    return gzip.open(path, "rb")


def _line(path: str, number: int, data: bytes, unique_keys: bool) -> dict[str, Any] | BadLine:
    try:
        return json_object(data, unique_keys)
    except LineError as error:
        return BadLine(path, number, error.problem, error.remedy)


def json_object(data: bytes, unique_keys: bool = False) -> dict[str, Any]:
    """The object a line holds.

    Raises:
        LineError: it holds none.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise LineError(f"not UTF-8 text (byte {error.start + 1} of the line)", "save the file as UTF-8") from None
    try:
        value = json.loads(text, object_pairs_hook=_with_unique_keys if unique_keys else None)
    except json.JSONDecodeError as error:
        remedy = "write one JSON object per line" if text.endswith("\n") else "the file seems to be cut off here"
        raise LineError(f"not JSON ({error.msg.removesuffix(' at')} at column {error.colno})", remedy) from None
    except (RecursionError, ValueError) as error:
        raise LineError(f"not usable JSON ({error})", "write one flat JSON object of strings per line") from None
    if not isinstance(value, dict):
        raise LineError(f"the line is {json_word(value)}", "write one JSON object per line")
    return value


def _with_unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entry = dict(pairs)
    if len(entry) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise LineError(f"key {twice!r} appears twice", "keep one of them")
    return entry


def json_word(value: Any) -> str:
    """What kind of JSON value this is, with its article."""
    return JSON_WORDS.get(type(value), type(value).__name__)


def checked_text(value: Any, name: str) -> str:
    """A text that can be stored as UTF-8.

    Raises:
        LineError: it is none, or holds half a surrogate pair.
    """
    if not isinstance(value, str):
        raise LineError(f"{name} is {json_word(value)}", "write a string")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        remedy = "remove it: it is no character"
        raise LineError(f"{name} holds half a surrogate pair (\\ud800 to \\udfff)", remedy) from None
    return value


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a file of the user with their line numbers: JSON lines, JSON or Parquet, the first two also gzip.

    Numbers count from 1; in a JSON list or a Parquet file they are positions.

    Raises:
        CodeprefError: the file can not be read, or a line is no JSON object; file, line and remedy are named.
    """
    if not path.name.endswith(SUFFIXES):
        raise CodeprefError(f"{path}: unknown kind of file; give one that ends in {', '.join(SUFFIXES)}")
    if path.suffix == ".parquet":
        yield from _parquet_rows(path)
    elif ".jsonl" in path.suffixes:
        yield from good_lines(path)
    else:
        yield from _json_rows(path)


def good_lines(path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """As `json_lines`; the first bad line ends it.

    Raises:
        CodeprefError: the file can not be opened, or a line is bad.
    """
    for number, item in json_lines(path):
        if isinstance(item, BadLine):
            raise CodeprefError(str(item))
        yield number, item


def _parquet_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        for batch in pq.ParquetFile(path).iter_batches(BATCH_ROWS):
            for row in batch.to_pylist():
                number += 1
                yield number, row
    except (OSError, pa.ArrowInvalid) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise CodeprefError(f"{path}: {reason}; give a Parquet file that can be read") from None


def _json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSON list; a file with one object has one row."""
    try:
        with _open(path) as stream:
            value = json.loads(stream.read().decode("utf-8-sig"))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CodeprefError(f"{path}: {reason}; give a JSON file that can be read") from None
    except json.JSONDecodeError as error:
        raise CodeprefError(f"{path}:{error.lineno}: not JSON ({error.msg}); write a list of objects") from None
    except (ValueError, RecursionError) as error:
        raise CodeprefError(f"{path}: not usable JSON ({error}); write a list of objects") from None
    for number, row in enumerate(value if isinstance(value, list) else [value], 1):
        if not isinstance(row, dict):
            raise CodeprefError(f"{path}:{number}: expected a JSON object, found {json_word(row)}")
        yield number, row


def file_hash(path: str | Path) -> str:
    """sha256 of a file's bytes, 64 hexadecimal digits. Raises OSError."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name to write to; what was written there gets the name `path` when the block ends well, and is gone if not.

    The bytes are on disk before the name is: after a power cut the file is either absent, old or complete.
    """
    part = path.with_name(f"{path.name}.part{platform.node()}-{os.getpid()}")  # other nodes have the same process ids
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file or object so that it is either absent or complete, whatever happens in between."""
    if not isinstance(path, Path):
        # one PUT; `open().write()` would publish what was written before an exception
        path.fs.pipe_file(path.path, data)
        return
    with replacing(path) as part:
        part.write_bytes(data)


def write_lines(path: Path, lines: Iterable[str]) -> int:
    """Writes a text line by line to a file that is either absent or complete; how many there are."""
    count = 0
    with replacing(path) as part, part.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(line + "\n")
            count += 1
        file.flush()
    return count


@contextmanager
def locked(folder: Path, problem: str) -> Iterator[int]:
    """Makes a folder and keeps others out of it; gives the lock's file descriptor, which a program may be handed on.

    Args:
        folder: The folder.
        problem: What to say where another process holds the lock, with the remedy.

    Raises:
        CodeprefError: another process holds the lock, or the folder can not be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / ".lock").open("w")
    except OSError as error:
        raise CodeprefError(f"{folder}: {error.strerror}; choose another --out") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CodeprefError(problem) from None
        yield file.fileno()
