"""Request cache: every answer of a model is stored the moment it arrives, so that it is paid for once.

One SQLite file, one row per choice, keyed by a hash of what was asked. Killing the process at any moment loses nothing
that was stored. Several threads and several processes may share the file; it must lie on a local disk, because SQLite's
write-ahead log does not work over network file systems.
"""

import hashlib
import json
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from codepref.generate.base import Completion, GenerationError

SCHEMA_VERSION = 1
BUSY_TIMEOUT_S = 60.0
SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
  key BLOB NOT NULL,
  choice INTEGER NOT NULL,
  text TEXT NOT NULL,
  seed INTEGER NOT NULL,
  finish_reason TEXT NOT NULL,
  prompt_tokens INTEGER NOT NULL,
  completion_tokens INTEGER NOT NULL,
  PRIMARY KEY (key, choice)
)
"""
THOUGHTS = "CREATE TABLE IF NOT EXISTS thoughts (key BLOB, choice INTEGER, thought TEXT, PRIMARY KEY (key, choice))"
"""A table of their own, so that a cache of before is one still."""
SELECT = """
SELECT text, seed, finish_reason, prompt_tokens, completion_tokens, thought
FROM answers LEFT JOIN thoughts USING (key, choice) WHERE key = ? ORDER BY choice
"""
TOKENS = "SELECT coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0) FROM answers"


def payload_key(payload: Mapping[str, Any]) -> bytes:
    """SHA-256 of the payload's canonical JSON: keys sorted, no spaces, ASCII. Raises ValueError on NaN and infinity."""
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).digest()


class Cache:
    """Answers by key. A context manager; safe to use from several threads.

    `hits` and `misses` count calls of `get`. Memory does not grow with the number of answers.
    """

    def __init__(self, path: str | Path) -> None:
        """Open or create the file. Raises GenerationError when it is not a request cache or can not be written."""
        self.path = Path(path)
        self.hits = 0
        self.misses = 0
        self._lock = threading.Lock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise self._trouble(error) from None
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._connection.close()
            raise self._trouble(error) from None

    def get(self, key: bytes) -> list[Completion] | None:
        """All choices of one answer in their order, marked `cached`; None when this was never answered."""
        with self._lock:
            try:
                rows = self._connection.execute(SELECT, (key,)).fetchall()
            except sqlite3.Error as error:
                raise self._trouble(error) from None
            if rows:
                self.hits += 1
            else:
                self.misses += 1
        return [replace(Completion(*row[:-1]), cached=True, thought=row[-1] or "") for row in rows] or None

    def put(self, key: bytes, choices: Sequence[Completion]) -> None:
        """Store all choices of one answer, or none of them. The first answer to a key stays."""
        rows = [
            (key, i, c.text, c.seed, c.finish_reason, c.prompt_tokens, c.completion_tokens)
            for i, c in enumerate(choices)
        ]
        thoughts = [(key, i, c.thought) for i, c in enumerate(choices) if c.thought]
        with self._lock:
            try:
                self._insert(key, rows, thoughts)
            except sqlite3.Error as error:
                raise self._trouble(error) from None

    def tokens(self) -> tuple[int, int]:
        """Prompt and completion tokens of all answers together. Reads the whole file."""
        with self._lock:
            try:
                return tuple(self._connection.execute(TOKENS).fetchone())
            except sqlite3.Error as error:
                raise self._trouble(error) from None

    def close(self) -> None:
        """Close the file. Calling it twice is harmless."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _insert(self, key: bytes, rows: Sequence[tuple[Any, ...]], thoughts: Sequence[tuple[Any, ...]]) -> None:
        # The write lock is taken before looking, so that two processes never mix the choices of their answers.
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            if self._connection.execute("SELECT 1 FROM answers WHERE key = ?", (key,)).fetchone() is None:
                self._connection.executemany("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
                self._connection.executemany("INSERT INTO thoughts VALUES (?, ?, ?)", thoughts)

    def _prepare(self) -> None:
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            tables = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if tables and version != SCHEMA_VERSION:
                raise sqlite3.DatabaseError("an SQLite file, but not a request cache of this version")
            self._connection.execute(SCHEMA)
            self._connection.execute(THOUGHTS)
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        self._connection.execute("PRAGMA journal_mode = WAL")
        # NORMAL survives the death of the process; only a power cut can undo the last few answers.
        self._connection.execute("PRAGMA synchronous = NORMAL")

    def _trouble(self, error: Exception) -> GenerationError:
        return GenerationError(
            f"{self.path}: request cache not usable ({error}); name a writable file on a local disk with free space"
        )
