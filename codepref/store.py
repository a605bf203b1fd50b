"""Stages on disk.

    RUN/stages/outcomes-1f2e3d4c5b6a7988/
        00000.parquet             one shard, whole: written to a temporary name, renamed last
        00000.excluded.jsonl      what the stage left out of that shard, and why
        00000.measured.arrow      measurements of that shard (times), which no rebuild repeats
        done.json                 written last: the stage is complete

The folder name ends in a hash of everything the stage's content depends on: its settings, the code version and its
input stages. Other settings make another folder, so nothing finished is ever lost or mistaken for something else.
"""

import dataclasses
import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from codepref import __version__
from codepref.errors import CodeprefError
from codepref.records import Exclusion


@dataclass(frozen=True)
class Shard:
    """What a stage function gives back for one input shard."""

    table: pa.Table
    excluded: tuple[Exclusion, ...] = ()
    measured: pa.Table | None = None


def fingerprint(value: Any) -> str:
    """16 hexadecimal digits that identify a JSON-like value or a dataclass."""
    text = json.dumps(value, sort_keys=True, default=dataclasses.asdict, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file so that it is either absent or complete, whatever happens in between."""
    part = path.with_name(f"{path.name}.part{os.getpid()}")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def write_lines(path: Path, lines: Iterable[str]) -> int:
    """Writes a text line by line to a file that is either absent or complete; how many there are."""
    part, count = path.with_name(f"{path.name}.part{os.getpid()}"), 0
    with part.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(line + "\n")
            count += 1
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    return count


def parquet_bytes(table: pa.Table) -> bytes:
    """A table as Parquet; the same rows always give the same bytes (with the pinned Arrow)."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_statistics=False)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Stage:
    """One stage's folder."""

    path: Path
    name: str
    key: str
    depends: Mapping[str, Any] = field(default_factory=dict)
    """What went into the key, for the manifest."""

    @property
    def done(self) -> bool:
        """Whether every shard is there."""
        return (self.path / "done.json").exists()

    def summary(self) -> dict[str, Any]:
        """Contents of the done marker."""
        return json.loads((self.path / "done.json").read_text())  # type: ignore[no-any-return]

    def finished(self, suffix: str = "parquet") -> list[int]:
        """Numbers of the finished shards, or of those that have a file with another suffix, in order."""
        if not self.path.is_dir():
            return []
        with os.scandir(self.path) as entries:
            heads = (entry.name.partition(".") for entry in entries)
            return sorted(int(number) for number, _, end in heads if end == suffix and number.isdigit())

    def shards(self) -> list[Path]:
        """Files of the finished shards, in order."""
        return [self._file(index, "parquet") for index in self.finished()]

    def has(self, index: int) -> bool:
        """Whether a shard is finished."""
        return self._file(index, "parquet").exists()

    def rows(self, index: int) -> int:
        """Number of rows of a finished shard."""
        return pq.read_metadata(self._file(index, "parquet")).num_rows  # type: ignore[no-any-return]

    def read(self, index: int, columns: list[str] | None = None) -> pa.Table:
        """A finished shard, whole or some of its columns."""
        return pq.read_table(self._file(index, "parquet"), columns=columns)

    def measured(self, index: int) -> pa.Table | None:
        """The measurements beside a finished shard, or None."""
        path = self._file(index, "measured.arrow")
        return pa.ipc.open_file(pa.memory_map(str(path))).read_all() if path.exists() else None

    def excluded(self) -> Iterator[Exclusion]:
        """Everything the finished shards left out, in order."""
        for index in self.finished("excluded.jsonl"):
            for line in self._file(index, "excluded.jsonl").read_text(encoding="utf-8").splitlines():
                yield Exclusion(**json.loads(line))

    def write(self, index: int, shard: Shard) -> None:
        """Writes one shard; the Parquet file, whose presence means `finished`, comes last."""
        self.path.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(dataclasses.asdict(item), ensure_ascii=True) + "\n" for item in shard.excluded]
        if lines:
            write_whole(self._file(index, "excluded.jsonl"), "".join(lines).encode())
        if shard.measured is not None:
            sink = pa.BufferOutputStream()
            with pa.ipc.new_file(sink, shard.measured.schema) as writer:
                writer.write_table(shard.measured)
            write_whole(self._file(index, "measured.arrow"), sink.getvalue().to_pybytes())
        write_whole(self._file(index, "parquet"), parquet_bytes(shard.table))

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Writes the done marker."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_whole(self.path / "done.json", json.dumps(summary, indent=1, sort_keys=True).encode() + b"\n")

    def _file(self, index: int, suffix: str) -> Path:
        return self.path / f"{index:05d}.{suffix}"


@dataclass(frozen=True)
class Store:
    """A run's folder."""

    root: Path

    def stage(self, name: str, depends: Any, inputs: Iterable[Stage] = ()) -> Stage:
        """The stage of that name whose content depends on these settings and input stages.

        Leftovers of writers that died are removed.
        """
        whole = {"settings": depends, "inputs": [stage.key for stage in inputs], "codepref": __version__}
        depends = json.loads(json.dumps(whole, default=dataclasses.asdict))
        key = fingerprint({"stage": name, **depends})
        path = self.root / "stages" / f"{name}-{key}"
        for part in path.glob("*.part*"):
            part.unlink(missing_ok=True)
        return Stage(path, name, key, depends)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps a second build out of this folder.

        Raises:
            CodeprefError: another process holds the lock, or the folder can not be written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            file = (self.root / ".lock").open("w")
        except OSError as error:
            raise CodeprefError(f"{self.root}: {error.strerror}; choose another --out") from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise CodeprefError(
                    f"{self.root}: another build is running here; wait for it or choose another --out"
                ) from None
            yield
