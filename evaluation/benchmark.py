"""What a benchmark is: problems, a prompt, a program for each completion, and a way to grade programs."""

import functools
import gzip
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codepref.errors import CodeprefError
from codepref.sandbox import Mode, Profile, Verdict

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "codepref"


@dataclass(frozen=True)
class Problem:
    """One task of a benchmark."""

    task_id: str
    prompt: str
    """The official prompt text, as the data set has it."""
    reference: str
    """The data set's own solution, as a completion that `Benchmark.program` takes."""
    entry_point: str = ""
    group: str = ""
    """What the score is split by: the library for DS-1000."""
    row: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """Whatever else grading needs."""

    @functools.cached_property
    def digest(self) -> str:
        """Hash of everything a score depends on."""
        return fingerprint([self.task_id, self.prompt, self.reference, self.entry_point, dict(self.row)])


@dataclass(frozen=True)
class Graded:
    """The verdict on one program."""

    verdict: Verdict
    mode: Mode = "plain"
    base_verdict: Verdict | None = None
    """On the original tests, for benchmarks that extend others."""
    plus_verdict: Verdict | None = None
    """On the added tests."""
    error: str = ""
    cpu_s: float = 0.0


@dataclass(frozen=True)
class Settings:
    """How programs are graded. None of these changes a verdict of a program that stays well within its limits."""

    workers: int = 1
    python: str | None = None
    """Interpreter of the candidates; None is this one."""
    cpu_s: float = 1.0
    """Least CPU seconds for one test (one call, where tests are calls)."""
    factor: float = 4.0
    """A call gets at least so many times what the reference needed."""
    memory_mb: int = 4096
    profile: Profile = "function"
    """`library` also lets programs use files, threads and child processes."""
    allow_unisolated: bool = False
    cache: Path = CACHE


Work = Iterable[tuple[Problem, Sequence[str]]]
"""Problems, each with programs to grade."""


@dataclass(frozen=True)
class Benchmark:
    """Everything that differs between benchmarks."""

    name: str
    paper: str
    load: Callable[[Path | None], list[Problem]]
    """Problems from a file, or from the Hub."""
    program: Callable[[Problem, str], str]
    """The program that is run for a solution, or for a completion of a problem."""
    reference: Callable[[Problem], str]
    """The program of the data set's own solution."""
    grade: Callable[[Work, Settings], Iterator[list[Graded]]]
    ask: Callable[[Problem, bool, bool], "Asked"]
    """What a model is shown; for a chat model; with the begin of its answer."""
    max_tokens: int
    environment: str = ""
    """Name of the locked interpreter it needs; empty for the one codepref runs in."""
    threshold: float = 1.0
    """Share of reference solutions that must pass before anything is reported."""
    excused: Mapping[str, str] = field(default_factory=dict)
    """References that can not pass here, and why: they do not count against the threshold."""
    bare: bool = False
    """Completions are no whole programs with an entry point; they are taken as they are."""
    framed: bool = False
    """Whole solutions, too, are put into a frame by `program`."""


@dataclass(frozen=True)
class Asked:
    """One question: the text, how the answer is begun (for templates), and the texts that end it."""

    text: str
    begin: str = ""
    system: str | None = None
    stop: tuple[str, ...] = ()


def rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a `.jsonl`, `.jsonl.gz`, `.json`, `.json.gz` or `.parquet` file.

    Raises `CodeprefError` naming the file (and the line) that can not be read.
    """
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq
        from pyarrow import ArrowInvalid

        try:
            table: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        except (OSError, ArrowInvalid) as error:
            raise CodeprefError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]})") from None
        return table
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise CodeprefError(f"{path}: can not be read ({error}); give --data a file of the benchmark") from None
    if path.name.removesuffix(".gz").endswith(".json"):
        return _objects(path, text)
    return [_object(path, number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


def _objects(path: Path, text: str) -> list[dict[str, Any]]:
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise CodeprefError(f"{path}, line {error.lineno}: not JSON ({error.msg})") from None
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise CodeprefError(f"{path}: not a JSON list of objects")
    return values


def _object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise CodeprefError(f"{path}, line {number}: not JSON ({error.msg}); one JSON object a line") from None
    if not isinstance(value, dict):
        raise CodeprefError(f"{path}, line {number}: not a JSON object; one JSON object a line")
    return value


def from_hub(name: str, split: str, config: str | None = None, revision: str | None = None) -> list[dict[str, Any]]:
    """Rows of a data set on the Hub; raises `CodeprefError` where that can not be reached."""
    import datasets

    try:
        loaded = datasets.load_dataset(name, config, split=split, revision=revision)
    except Exception as error:  # every layer below raises its own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CodeprefError(f"{name}: can not be loaded from the Hub ({reason}); pass --data FILE") from None
    return [dict(row) for row in loaded]


def fingerprint(values: Iterable[Any]) -> str:
    """Sixteen hexadecimal digits of the JSON of some values, independent of the order of keys."""
    digest = hashlib.sha256()
    for value in values:
        digest.update(json.dumps(value, sort_keys=True, default=repr).encode() + b"\n")
    return digest.hexdigest()[:16]


def dataset_hash(problems: Sequence[Problem]) -> str:
    """Hash of everything a score depends on in the data."""
    return fingerprint(problem.digest for problem in problems)


def require(row: Mapping[str, Any], keys: Sequence[str], where: str) -> None:
    """Raises `CodeprefError` when a row lacks a column."""
    missing = [key for key in keys if key not in row]
    if missing:
        raise CodeprefError(f"{where}: no column '{missing[0]}'; it has {', '.join(row)}")
