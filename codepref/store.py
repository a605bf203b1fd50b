"""Stages on disk.

    RUN/stages/outcomes-1f2e3d4c5b6a7988/
        00000.parquet             one shard, whole: written to a temporary name, renamed last
        00000.excluded.jsonl      what the stage left out of that shard, and why
        00000.measured.arrow      measurements of that shard (times), which no rebuild repeats
        done.json                 written last: the stage is complete

The folder name ends in a hash of everything the stage's content depends on: its settings, the code version and its
input stages. Other settings make another folder, so nothing finished is ever lost or mistaken for something else.

The stages may lie elsewhere: on any store that fsspec knows (`s3://bucket/run`), where the workers of a cluster find
them. Everything else of a run (the request cache, which is a database, adapters, figures, the dataset that
`load_dataset` opens and `publish` sends) needs real files and is written by the driver alone, so it stays in RUN. An
object store has no rename and needs none: one PUT is one whole object, seen by all or by none; the order of the files
of a shard is the same. `RUN/stages.url` says where the stages are.

RUN is locked against a second build. A URL is not: two runs may share it, and one that finds a shard finished takes it.
Both may also write the same shard; its bytes are the same, but for measurements, of which the last written stay.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from codepref import __version__
from codepref.errors import CodeprefError
from codepref.files import locked, write_whole
from codepref.records import Exclusion

URL = "stages.url"


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


def location(text: str) -> Path:
    """A folder, or the place of a URL that fsspec knows: not a `Path` then, but with its methods.

    Raises:
        CodeprefError: no installed package knows that kind of URL.
    """
    if "://" not in text or text.startswith("file://"):
        return Path(text.removeprefix("file://"))
    try:
        from upath import UPath

        place = UPath(text, use_listings_cache=False)  # another node may have written since the last look
        place.fs  # noqa: B018 - imports the package of that kind of store
    except (ImportError, ValueError) as error:
        remedy = "pip install 'codepref[s3]', or fsspec's package for another kind of store"
        raise CodeprefError(f"{text}: {error}; {remedy}") from None
    return cast(Path, place)


def opened(path: Path) -> Any:
    """What Arrow reads: a local file by its name, an object in blocks."""
    return str(path) if isinstance(path, Path) else path.open("rb")


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
        heads = (name.partition(".") for name in self._names())
        return sorted(int(number) for number, _, end in heads if end == suffix and number.isdigit())

    def _names(self) -> list[str]:
        if not isinstance(self.path, Path):
            return [path.name for path in self.path.glob("[0-9]*")]
        return os.listdir(self.path) if self.path.is_dir() else []  # noqa: PTH208 - names are enough, and quicker

    def shards(self) -> list[Path]:
        """Files of the finished shards, in order."""
        return [self._file(index, "parquet") for index in self.finished()]

    def has(self, index: int) -> bool:
        """Whether a shard is finished."""
        return self._file(index, "parquet").exists()

    def rows(self, index: int) -> int:
        """Number of rows of a finished shard."""
        return pq.read_metadata(opened(self._file(index, "parquet"))).num_rows  # type: ignore[no-any-return]

    def read(self, index: int, columns: list[str] | None = None) -> pa.Table:
        """A finished shard, whole or some of its columns."""
        path = self._file(index, "parquet")
        source = path if isinstance(path, Path) else pa.BufferReader(path.read_bytes())
        return pq.read_table(source, columns=columns)

    def rules(self, index: int) -> list[str]:
        """By which rule each code of a shard was found in its sample; none where the stage does not record that."""
        column = "codes.list.element.rule"
        with pq.ParquetFile(opened(self._file(index, "parquet"))) as file:
            if column not in (file.schema.column(place).path for place in range(len(file.schema))):
                return []
            rows = file.read(columns=[column]).column("codes").to_pylist()
        return [code["rule"] for codes in rows for code in codes if code["rule"]]

    def measured(self, index: int) -> pa.Table | None:
        """The measurements beside a finished shard, or None."""
        path = self._file(index, "measured.arrow")
        if not path.exists():
            return None
        source = pa.memory_map(str(path)) if isinstance(path, Path) else pa.BufferReader(path.read_bytes())
        return pa.ipc.open_file(source).read_all()

    def excluded(self) -> Iterator[Exclusion]:
        """Everything the finished shards left out, in order."""
        for index in self.finished("excluded.jsonl"):
            for line in self._file(index, "excluded.jsonl").read_text(encoding="utf-8").splitlines():
                yield Exclusion(**json.loads(line))

    def write(self, index: int, shard: Shard) -> None:
        """Writes one shard; the Parquet file, whose presence means `finished`, comes last."""
        self._make()
        lines = [json.dumps(dataclasses.asdict(item), ensure_ascii=True) + "\n" for item in shard.excluded]
        if lines:
            write_whole(self._file(index, "excluded.jsonl"), "".join(lines).encode())
        if shard.measured is not None:
            sink = pa.BufferOutputStream()
            compressed = pa.ipc.IpcWriteOptions(compression="zstd")
            with pa.ipc.new_file(sink, shard.measured.schema, options=compressed) as writer:
                writer.write_table(shard.measured)
            write_whole(self._file(index, "measured.arrow"), sink.getvalue().to_pybytes())
        write_whole(self._file(index, "parquet"), parquet_bytes(shard.table))

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Writes the done marker."""
        self._make()
        write_whole(self.path / "done.json", json.dumps(summary, indent=1, sort_keys=True).encode() + b"\n")

    def _make(self) -> None:
        if isinstance(self.path, Path):  # object stores have no folders
            self.path.mkdir(parents=True, exist_ok=True)

    def _file(self, index: int, suffix: str) -> Path:
        return self.path / f"{index:05d}.{suffix}"


@dataclass(frozen=True)
class Store:
    """A run's folder."""

    root: Path
    url: str | None = None
    """Where the stages are, if not in the folder."""

    @property
    def stages(self) -> Path:
        """The folder of all stages."""
        return location(self.url) if self.url else self.root / "stages"

    def stage(self, name: str, depends: Any, inputs: Iterable[Stage] = ()) -> Stage:
        """The stage of that name whose content depends on these settings and input stages.

        Leftovers of writers that died are removed.
        """
        whole = {"settings": depends, "inputs": [stage.key for stage in inputs], "codepref": __version__}
        depends = json.loads(json.dumps(whole, default=dataclasses.asdict))
        key = fingerprint({"stage": name, **depends})
        path = self.stages / f"{name}-{key}"
        for part in path.glob("*.part*") if isinstance(path, Path) else ():
            part.unlink(missing_ok=True)
        return Stage(path, name, key, depends)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps a second build out of this folder.

        Raises:
            CodeprefError: another process holds the lock, or the folder or the place of the stages can not be written.
        """
        with locked(self.root, f"{self.root}: another build is running here; wait for it or choose another --out"):
            if self.url:
                _try(self.stages)
                write_whole(self.root / URL, f"{self.url}\n".encode())
            yield


def store(root: Path, url: str | None = None) -> Store:
    """The store of a run's folder: its stages are at the URL, or where an earlier build put them."""
    mark = root / URL
    if url is None:
        return Store(root, mark.read_text().strip() if mark.is_file() else None)
    return Store(root, url if "://" in url else str(Path(url).absolute()))


def _try(place: Path) -> None:
    """Raises `CodeprefError` where nothing can be written."""
    try:
        if isinstance(place, Path):
            place.mkdir(parents=True, exist_ok=True)
        write_whole(place / "codepref.txt", b"Stages of codepref builds.\n")
    except Exception as error:  # every kind of store raises its own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        remedy = "name a bucket that exists, with its credentials (and AWS_ENDPOINT_URL if it is not Amazon's)"
        raise CodeprefError(f"--store {place}: can not be written ({reason}); {remedy}") from None
