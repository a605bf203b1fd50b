"""What does not fit in memory: rows in order, equal keys and texts by number, in files that have no name.

The files lie in the folder for temporary files (`TMPDIR`) and vanish with the process, however it ends. Memory stays
the same for any number of rows, but for what a function returns.
"""

import pickle
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Places = NDArray[np.int32]

BUCKET = 1 << 16
"""Keys that are sorted at once."""
MOST_FILES = 256
CACHE_KB = 16 * 1024


class Rows:
    """Rows by key and number. Reading them in order is one pass; adding and looking up are a few microseconds each."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.execute(f"PRAGMA cache_size = -{CACHE_KB}")
        self._database.execute("CREATE TABLE row (body BLOB, key TEXT, number INTEGER)")
        self._database.execute("CREATE INDEX by_key ON row (key, number)")
        self._database.execute("BEGIN")
        self._count = 0

    def add(self, key: str, number: int, row: Any) -> None:
        """Adds one row."""
        self._database.execute("INSERT INTO row VALUES (?, ?, ?)", (pickle.dumps(row), key, number))
        self._count += 1

    def first(self, key: str) -> int | None:
        """The lowest number that was added with a key."""
        found = self._database.execute("SELECT min(number) FROM row WHERE key = ?", (key,)).fetchone()[0]
        return None if found is None else int(found)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Any]:
        """All rows by key (code points), those of one key by number."""
        for (body,) in self._database.execute("SELECT body FROM row INDEXED BY by_key ORDER BY key, number"):
            yield pickle.loads(body)  # noqa: S301 - bytes of ours, from a file that nobody else can name


class Texts:
    """Texts by number, in the order in which they are added."""

    def __init__(self) -> None:
        with ExitStack() as opened:
            self._texts, self._ends = (opened.enter_context(tempfile.TemporaryFile()) for _ in range(2))
            self._files = opened.pop_all()
        self._end = 0

    def __enter__(self) -> "Texts":
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def add(self, texts: Iterable[str]) -> None:
        """Adds texts."""
        data = [text.encode("utf-8", "surrogatepass") for text in texts]
        ends = self._end + np.cumsum([len(item) for item in data], dtype=np.int64)
        for file, part in ((self._texts, b"".join(data)), (self._ends, ends.tobytes())):
            file.seek(0, 2)
            file.write(part)
        self._end = int(ends[-1]) if len(ends) else self._end

    def __getitem__(self, number: int) -> str:
        self._ends.seek(8 * max(number - 1, 0))
        ends = np.frombuffer(self._ends.read(16 if number else 8), np.int64).tolist()
        start, end = ends if number else (0, *ends)
        self._texts.seek(start)
        return self._texts.read(end - start).decode("utf-8", "surrogatepass")


def first_equal(keys: Iterable[Keys], total: int) -> Places:
    """For every key the position of the first equal one before it, or -1.

    Args:
        keys: Hashes, in blocks.
        total: How many there are.
    """
    first = np.full(total, -1, np.int32)
    for later, _, before in equal(keys, total):
        first[later] = before
    return first


def equal(keys: Iterable[Keys], total: int) -> Iterator[tuple[Places, Places, Places]]:
    """Positions of keys that were there before, each with the positions of the equal key just before and of the first.

    Args:
        keys: Hashes, in blocks.
        total: About how many there are; decides how finely they are divided.

    Yields:
        later, previous, first: arrays of one length. Every position that has an equal key before it comes once; the
        memory is that of the keys of a `BUCKET`, or of those that are all equal.
    """
    count = min(max(-(-total // BUCKET), 1), MOST_FILES)
    with ExitStack() as open_:
        files = [open_.enter_context(tempfile.TemporaryFile()) for _ in range(count)]
        start = 0
        for block in keys:
            records = np.empty(len(block), _RECORD)
            records["key"], records["at"] = block, np.arange(start, start + len(block))
            start += len(block)
            buckets = block % np.uint64(count)
            for bucket in np.unique(buckets):
                files[int(bucket)].write(records[buckets == bucket].tobytes())
        for file in files:
            file.seek(0)
            yield _matches(np.frombuffer(file.read(), _RECORD))
            file.truncate(0)


_RECORD = np.dtype([("key", np.uint64), ("at", np.int32)])


def _matches(records: NDArray[Any]) -> tuple[Places, Places, Places]:
    records = records[np.argsort(records["key"], kind="stable")]  # equal keys stay in their order
    keys, at = records["key"], records["at"]
    same = np.concatenate([[False], keys[1:] == keys[:-1]])[: len(keys)]
    firsts = np.maximum.accumulate(np.where(same, 0, np.arange(len(keys))))
    later = np.flatnonzero(same)
    return at[later], at[later - 1], at[firsts[later]]
