"""Prompts and codes that are an evaluation benchmark's are left out.

Three rules, measured on the benchmarks themselves, on 22 prompts of our own and on the docstrings and code of 920
functions of 25 packages (benchmarks/overlap.py prints the figures):

- `benchmark text`: a prompt shares a run of `PROMPT_RUN` words, at least half of them not numbers, with a task's text,
  or holds the whole of a shorter text.
- `benchmark name and wording`: same entry point, and the words that carry meaning overlap by `WORDING` of the smaller
  set.
- `benchmark code`: a program shares a run of `CODE_RUN` words with a task's reference solution.

Runs found in more than `COMMON` tasks of one benchmark are its boilerplate and do not count. Of a benchmark only hashes
are stored: none of its text gets into a run's folder.
"""

import difflib
import functools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from codepref import overlap, reach
from codepref.benchmarks import DECONTAMINABLE, Family
from codepref.errors import CodeprefError
from codepref.files import SUFFIXES, file_hash, read_rows
from codepref.overlap import Hashes
from codepref.records import Candidates, Exclusion, from_table, to_table
from codepref.stages import Runner
from codepref.store import Shard, Stage

PROMPT_RUN, CODE_RUN, COMMON, SHORTEST = 10, 13, 10, 6
WORDING = 0.6
TEXTS = ("prompt", "text", "complete_prompt", "instruct_prompt", "question", "question_content")
CODES = ("canonical_solution", "code", "reference_code", "solution")


@dataclass(frozen=True)
class HashedTask:
    """One task of a benchmark, as hashes (64 bits, signed because Arrow's integers are)."""

    task: str
    """Benchmark and task id, for people."""
    entry_point: str
    runs: tuple[int, ...]
    length: int
    """Words a run: fewer than `PROMPT_RUN` when the whole text is shorter."""
    words: tuple[int, ...]
    code: tuple[int, ...]


@dataclass(frozen=True)
class Rule:
    """What decides about contamination: part of the stage keys, and what the card says."""

    benchmarks: tuple[str, ...]
    """Title and origin of each."""
    prompt_run: int = PROMPT_RUN
    code_run: int = CODE_RUN
    wording: float = WORDING


@dataclass(frozen=True)
class Gate:
    """Decontamination, ready to be used on the stages of one run."""

    runner: Runner
    rule: Rule
    tasks: Stage

    def prompts(self, source: Stage) -> Stage:
        """Stage `clean`: the prompts that are no benchmark's."""
        return self.runner.map("clean", partial(clean_prompts, self.tasks.path), self.rule, [source])

    def codes(self, source: Stage) -> Stage:
        """Stage `clean_codes`: candidates without programs that hold a benchmark's solution."""
        return self.runner.map("clean_codes", partial(clean_codes, self.tasks.path), self.rule, [source])


def gate(runner: Runner, names: Sequence[str], folder: str | None) -> Gate | None:
    """Reads the benchmarks, hashed, into the run's folder; None when none is named.

    Args:
        runner: Where the stage goes.
        names: Keys of `DECONTAMINABLE`, or files of rows with a text (`TEXTS`) and optionally `CODES` and
            `entry_point`.
        folder: Where the named benchmarks lie as files; None: they come from the Hub, at the pinned revision.

    Raises:
        CodeprefError: unknown name, or a benchmark that can not be read.
    """
    if not names:
        return None
    found = [_found(name, folder) for name in names]
    rule = Rule(tuple(f"{title} ({origin})" for title, origin, _ in found))
    shards = (Shard(to_table(_hashed(title, read), HashedTask)) for title, _, read in found)
    return Gate(runner, rule, runner.source("benchmarks", shards, {"rule": rule, "common": COMMON}, len(found)))


def _found(name: str, folder: str | None) -> tuple[str, str, Any]:
    """Title, origin without paths, and a function that gives the rows."""
    if name not in DECONTAMINABLE:
        if not name.endswith(SUFFIXES):
            near = difflib.get_close_matches(name, DECONTAMINABLE, n=1) or [", ".join(DECONTAMINABLE)]
            raise CodeprefError(
                f"decontaminate: unknown benchmark {name!r}; known: {near[0]}, or give a file of its tasks"
            )
        return Path(name).stem.partition(".")[0], _digest(Path(name)), partial(_from_files, [Path(name)])
    known = DECONTAMINABLE[name]
    if folder is None:
        assert known.data is not None and known.data.revision is not None
        return known.title, f"{known.data.hub}@{known.data.revision[:12]}", partial(_from_hub, name, known)
    taken = _files_of(known, Path(folder))
    if not taken:
        raise CodeprefError(f"{folder}: no file of {known.title}; put {name}.jsonl there, or leave benchmarks_dir out")
    return known.title, ", ".join(map(_digest, taken)), partial(_from_files, taken)


def _files_of(family: Family, folder: Path) -> list[Path]:
    """Of each pattern of the family's file names, the first file in the folder that is called so."""
    files = sorted(path for path in folder.glob("*") if path.name.endswith(SUFFIXES))
    taken = []
    for pattern in family.files:
        matching = [path for path in files if re.fullmatch(pattern, _plain(path))]
        taken += matching[:1]
    return taken


def _plain(path: Path) -> str:
    """A file's name without its suffix, letters and digits only."""
    endings = [suffix for suffix in SUFFIXES if path.name.endswith(suffix)]
    stem = path.name.removesuffix(max(endings, key=len))
    return re.sub(r"[^a-z0-9]", "", stem.lower())


def _digest(path: Path) -> str:
    try:
        return f"sha256 {file_hash(path)[:12]}"
    except OSError as error:
        raise CodeprefError(f"{path}: {error.strerror}; see 'decontaminate' and 'benchmarks_dir'") from None


def _from_files(paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
    for path in paths:
        for number, row in read_rows(path):
            if not any(isinstance(row.get(key), str) for key in TEXTS):
                raise CodeprefError(f"{path}:{number}: no text of a task; one of {', '.join(TEXTS)} must hold it")
            yield row


def _from_hub(key: str, known: Family) -> Iterator[dict[str, Any]]:
    import datasets

    data = known.data
    assert data is not None
    try:
        for name, split in data.parts:
            with reach.quick_to_fail(data.hub):
                rows = datasets.load_dataset(data.hub, name, split=split, revision=data.revision)
            yield from rows
    except (OSError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        raise CodeprefError(
            f"{known.title}: can not be read from the Hub ({said}); write benchmarks_dir: FOLDER, with {key}.jsonl in "
            f"it, or take {key} out of decontaminate (decontaminate: [] checks against nothing)"
        ) from None


def _hashed(title: str, read: Any) -> list[HashedTask]:
    tasks = [_task(title, number, row) for number, row in enumerate(read())]
    runs = Counter(value for task in tasks for value in task.runs)
    code = Counter(value for task in tasks for value in task.code)
    names = Counter(task.entry_point for task in tasks)
    rare = []
    for task in tasks:
        entry_point = task.entry_point if names[task.entry_point] <= COMMON else ""
        rare.append(replace(task, runs=_rare(task.runs, runs), code=_rare(task.code, code), entry_point=entry_point))
    return rare


def _rare(hashes: tuple[int, ...], counts: Counter[int]) -> tuple[int, ...]:
    """Those that are no boilerplate of the benchmark."""
    return tuple(value for value in hashes if counts[value] <= COMMON)


def _task(title: str, number: int, row: dict[str, Any]) -> HashedTask:
    codes = [row[key] for key in CODES if isinstance(row.get(key), str)]
    entry_point = row.get("entry_point") or _entry_point(codes, row.get("test_list"))
    texts = [words for key in TEXTS if isinstance(row.get(key), str) for words in _readings(row[key], entry_point)]
    # the whole of a very short text would be found everywhere
    length = min(PROMPT_RUN, max(SHORTEST, *(len(text) for text in texts)))
    return HashedTask(
        f"{title} {row.get('task_id', number)}",
        _folded(entry_point),
        _signed(np.concatenate([_runs(text, length) for text in texts])),
        length,
        _signed(overlap.content([word for text in texts for word in text])),
        _signed(np.concatenate([_code_runs(code, entry_point) for code in codes] or [np.empty(0, np.uint64)])),
    )


def _entry_point(codes: Sequence[str], tests: Any) -> str:
    """MBPP does not name its functions: the one its first test calls."""
    first = tests[0] if isinstance(tests, list) and tests else ""
    names = [name for code in codes for name in re.findall(r"def\s+(\w+)", code)]
    return next((name for name in names if re.search(rf"\b{name}\b", first)), "")


def _readings(text: str, entry_point: str) -> list[list[str]]:
    """The words of a text with the entry point masked and, where it is a word of the text, as it is: a function that is
    called `volume` may be about a volume."""
    masked, plain = overlap.words(text, entry_point), overlap.words(text)
    return [masked] if masked == plain else [masked, plain]


def _folded(name: str) -> str:
    return name.lower().replace("_", "")


def _runs(text: Sequence[str], length: int) -> Hashes:
    return overlap.grams(text, length, letters=length // 2)


def _code_runs(code: str, entry_point: str) -> Hashes:
    return overlap.grams(overlap.words(code, entry_point), CODE_RUN)


def _signed(values: Hashes) -> tuple[int, ...]:
    return tuple(np.unique(values).view(np.int64).tolist())


class Index:
    """The tasks of all benchmarks, to be searched."""

    def __init__(self, tasks: Sequence[HashedTask]) -> None:
        self._tasks = tasks
        self._runs: dict[int, _Postings] = {}
        for length in sorted({task.length for task in tasks}):
            self._runs[length] = _Postings([task.runs if task.length == length else () for task in tasks])
        self._code = _Postings([task.code for task in tasks])
        self._names: dict[str, list[int]] = {}
        for number, task in enumerate(tasks):
            if task.entry_point:
                self._names.setdefault(task.entry_point, []).append(number)

    def prompt(self, prompt: str, entry_point: str) -> tuple[str, str] | None:
        """The rule a prompt falls under and the task it is too like, or None."""
        readings = _readings(prompt, entry_point)
        for length, postings in self._runs.items():
            number = postings.find(np.concatenate([_runs(items, length) for items in readings]))
            if number is not None:
                return "benchmark text", self._tasks[number].task
        words = overlap.content(readings[0]).view(np.int64)
        for number in self._names.get(_folded(entry_point), []):
            theirs = np.array(self._tasks[number].words, np.int64)
            shared = len(np.intersect1d(words, theirs, assume_unique=True))
            if shared >= WORDING * max(1, min(len(words), len(theirs))):
                return "benchmark name and wording", self._tasks[number].task
        return None

    def code(self, code: str, entry_point: str) -> str | None:
        """The task whose solution a program holds, or None."""
        number = self._code.find(_code_runs(code, entry_point))
        return None if number is None else self._tasks[number].task


class _Postings:
    """Which task a hash belongs to."""

    def __init__(self, hashes: Sequence[tuple[int, ...]]) -> None:
        values = np.array([value for items in hashes for value in items], np.int64)
        owners = np.repeat(np.arange(len(hashes)), [len(items) for items in hashes])
        order = np.argsort(values, kind="stable")
        self._values: NDArray[np.int64] = values[order]
        self._owners: NDArray[np.int64] = owners[order]

    def find(self, hashes: Hashes) -> int | None:
        """The task that shares the most of these hashes, the first among equals; None when none does."""
        wanted = np.unique(hashes).view(np.int64)
        lows = np.searchsorted(self._values, wanted, "left")
        highs = np.searchsorted(self._values, wanted, "right")
        owners = [self._owners[low:high] for low, high in zip(lows, highs, strict=True) if high > low]
        return int(np.bincount(np.concatenate(owners)).argmax()) if owners else None


@functools.lru_cache(maxsize=1)
def task_index(folder: Path) -> Index:
    """The index of a finished `benchmarks` stage; kept for the life of the process."""
    stage = Stage(folder, "benchmarks", "")
    return Index([task for n in range(len(stage.shards())) for task in from_table(stage.read(n), HashedTask)])


def clean_prompts(folder: Path, _: Rule, table: pa.Table) -> Shard:
    """Prompts of one shard that are no benchmark's."""
    keep, excluded = [], list[Exclusion]()
    for row in from_table(table.select(["prompt_id", "prompt", "entry_point"]), _Head):
        hit = task_index(folder).prompt(row.prompt, row.entry_point)
        keep.append(hit is None)
        if hit is not None:
            excluded.append(Exclusion("clean", row.prompt_id, "prompt", hit[0], detail=hit[1]))
    return Shard(table.filter(pa.array(keep, pa.bool_())), tuple(excluded))


@dataclass(frozen=True)
class _Head:
    prompt_id: str
    prompt: str
    entry_point: str


def clean_codes(folder: Path, _: Rule, table: pa.Table) -> Shard:
    """Candidates of one shard without programs that hold a benchmark's solution."""
    made, excluded = [], list[Exclusion]()
    for row in from_table(table, Candidates):
        hits = [task_index(folder).code(code.code, row.entry_point) for code in row.codes]
        excluded += [
            Exclusion("clean_codes", row.prompt_id, "code", "benchmark code", code.sample, hit)
            for code, hit in zip(row.codes, hits, strict=True)
            if hit is not None
        ]
        codes = tuple(code for code, hit in zip(row.codes, hits, strict=True) if hit is None)
        if len(codes) < 2:
            excluded.append(Exclusion("clean_codes", row.prompt_id, "prompt", "fewer than 2 codes"))
        else:
            made.append(replace(row, codes=codes))
    return Shard(to_table(made, Candidates), tuple(excluded))
