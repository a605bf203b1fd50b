"""What a benchmark is: problems, a prompt, a program for each completion, and a way to grade programs."""

import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codepref import benchmarks, reach
from codepref.errors import CodeprefError
from codepref.files import read_rows
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
    groups: tuple[str, ...] = ()
    """What the score is split by: the library for DS-1000; difficulty, platform and month for contest tasks."""
    row: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """Whatever else grading needs."""
    date: str = ""
    """The day it was published, YYYY-MM-DD, where that is known: `--since` and `--until` choose by it."""
    flaw: str = ""
    """What its authors say is wrong with it, in few words. It is told, and counts as they count it."""

    @functools.cached_property
    def digest(self) -> str:
        """Hash of everything a score depends on."""
        return digest_of([self.task_id, self.prompt, self.reference, self.entry_point, dict(self.row)])


@dataclass(frozen=True)
class Graded:
    """The verdict on one program."""

    verdict: Verdict
    mode: Mode = "plain"
    base_verdict: Verdict | None = None
    """On the original tests, for benchmarks that extend others."""
    plus_verdict: Verdict | None = None
    """On the added tests; None where the original ones have failed and these would have cost a whole time limit."""
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
    """`library` also lets programs use files and child processes."""
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
    reference: Callable[[Problem], str] | None
    """The program of the data set's own solution; None where the data set has no solutions."""
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


def located_rows(name: str, path: Path | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of a benchmark's variant, each with its place for messages: of a file, or of the Hub at the known commit.

    Raises:
        CodeprefError: the file or the Hub can not be read; what to do is said.
    """
    if path is not None:
        for number, row in read_rows(path):
            yield f"{path}, row {number}", row
        return
    variant = benchmarks.variant_of(name)
    assert variant is not None and variant.data is not None
    for number, row in enumerate(_hub_rows(variant.data), 1):
        yield f"{variant.data.hub}, row {number}", row


def _hub_rows(data: benchmarks.HubData) -> Iterator[dict[str, Any]]:
    import datasets

    try:
        for config, split in data.parts:
            with reach.quick_to_fail(data.hub):
                rows = datasets.load_dataset(data.hub, config, split=split, revision=data.revision)
            for row in rows:
                yield dict(row)
    except Exception as error:  # every layer below raises its own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CodeprefError(f"{data.hub}: can not be loaded from the Hub ({reason}); pass --data FILE") from None


def hub_files(data: benchmarks.HubData) -> list[Path]:
    """The files of a dataset at the known commit, downloaded once; its loading script is not run.

    Raises:
        CodeprefError: the Hub can not be read; what to do is said.
    """
    from huggingface_hub import hf_hub_download

    try:
        with reach.quick_to_fail(data.hub):
            paths = [
                hf_hub_download(data.hub, file, repo_type="dataset", revision=data.revision) for file in data.files
            ]
        return [Path(path) for path in paths]
    except Exception as error:  # every layer below raises its own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CodeprefError(f"{data.hub}: can not be loaded from the Hub ({reason}); pass --data FILE") from None


def digest_of(values: Iterable[Any]) -> str:
    """Sixteen hexadecimal digits of the JSON of some values, independent of the order of keys."""
    digest = hashlib.sha256()
    for value in values:
        digest.update(json.dumps(value, sort_keys=True, default=repr).encode() + b"\n")
    return digest.hexdigest()[:16]


def dataset_hash(problems: Sequence[Problem]) -> str:
    """Hash of everything a score depends on in the data."""
    return digest_of(problem.digest for problem in problems)


def require(row: Mapping[str, Any], keys: Sequence[str], where: str) -> None:
    """Raises `CodeprefError` when a row lacks a column."""
    missing = [key for key in keys if key not in row]
    if missing:
        raise CodeprefError(f"{where}: no column '{missing[0]}'; it has {', '.join(row)}")
