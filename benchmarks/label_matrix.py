"""Matrices with known truth: published generations run on each other once, kept in a file for `label_quality`.

    python -m benchmarks.label_matrix CACHE.parquet [--set codet|agentcoder] [--data ../shared/data] [--workers 2]
        [--samples 40] [--first 5] [--most-tests 40]

--samples takes the first samples of each task only, --first the first asserts of each answer and --most-tests the first
distinct tests of what is left: fewer executions.

Sets: `codet` is 100 codes of CodeGen-Mono-16B per HumanEval task and all distinct tests out of 100 answers (Chen et
al., arXiv 2207.10397; MIT); `agentcoder` is 5 codes and 5 answers with tests of gpt-3.5-turbo-1106 (Huang et al., arXiv
2312.13010; MIT). Truth is HumanEval's hidden tests (`passed`) and HumanEval+ (`plus`). For measuring only.
"""

import argparse
import itertools
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.codet_humaneval import asserts, cut, read
from codepref import extract
from codepref.errors import CodeprefError
from codepref.records import from_table, to_table
from codepref.sandbox import Job, Limits, execute

SETS = ("codet", "agentcoder")
PREAMBLE = (
    "import math, re, sys, copy, datetime, itertools, collections, heapq, functools, hashlib, string\n"
    "from typing import *\nfrom collections import *\n"
)
"""What AgentCoder's verdicts were made with."""


@dataclass(frozen=True)
class Generations:
    """The samples of one task and their truth."""

    task_id: str
    entry_point: str
    programs: tuple[str, ...]
    """One a sample; empty where it does not compile or does not define the entry point."""
    passed: tuple[bool, ...]
    plus: tuple[bool, ...]
    answers: tuple[tuple[str, ...], ...]
    """The tests of every answer."""


@dataclass(frozen=True)
class Task:
    """One task with its matrix: row i is program i of `programs`, column j is test j of `tests`."""

    task_id: str
    entry_point: str
    programs: tuple[str, ...]
    """Distinct programs."""
    rows: tuple[int, ...]
    """For every sample, its row in the matrix; -1 where nothing could be run."""
    passed: tuple[bool, ...]
    plus: tuple[bool, ...]
    tests: tuple[str, ...]
    """Distinct tests, in order of first appearance."""
    places: tuple[int, ...]
    """The earliest place, from 0, that each test has in an answer."""
    verdicts: tuple[tuple[str, ...], ...]
    fingerprints: tuple[tuple[str, ...], ...]
    examples: tuple[tuple[str, ...], ...] = ()
    """Verdicts of the programs on the task's examples (`label_examples`)."""


def codet(data: Path, samples: int | None = None) -> Iterator[Generations]:
    """CodeT's samples; codes are cut by CodeT's rule, which the verdicts were made with.

    Args:
        data: Folder of the published sets.
        samples: Only the first so many codes and answers of each task.
    """
    truth = {(row["task_id"], row["sample"]): row for row in read(data / "codet_humaneval/ground_truth.jsonl.gz")}
    answers = {row["task_id"]: row["samples"] for row in read(data / "codet_humaneval/generated_tests.jsonl.gz")}
    for row in read(data / "codet_humaneval/solutions.jsonl.gz"):
        task, entry = row["task_id"], row["entry_point"]
        texts = row["samples"][:samples]
        known = [truth[task, index] for index in range(len(texts))]
        yield Generations(
            task,
            entry,
            tuple(_program(cut(sample), row["prompt"], entry) for sample in texts),
            tuple(bool(item["passed"]) for item in known),
            tuple(bool(item["plus_passed"]) for item in known),
            tuple(tuple(extract.tests("\n".join(asserts(text)), entry)[0]) for text in answers[task][:samples]),
        )


def agentcoder(data: Path, samples: int | None = None) -> Iterator[Generations]:
    """AgentCoder's samples; the prompts are those of HumanEval. Arguments as for `codet`."""
    prompts = {row["task_id"]: row["prompt"] for row in read(data / "benchmarks/HumanEval.jsonl.gz")}
    for row in read(data / "agentcoder_humaneval/solutions_and_tests.jsonl.gz"):
        task, entry = row["task_id"], row["entry_point"]
        programs = [_program(item["code"], prompts[task] + "\n", entry) for item in row["solutions"][:samples]]
        yield Generations(
            task,
            entry,
            tuple(PREAMBLE + program if program else "" for program in programs),
            tuple(bool(item["passed"]) for item in row["solutions"][:samples]),
            tuple(bool(item["plus_passed"]) for item in row["solutions"][:samples]),
            tuple(tuple(_asserts(text, entry)) for text in row["generated_tests"][:samples]),
        )


def _program(text: str, prompt: str, entry_point: str) -> str:
    program = extract.code(text, prompt, entry_point)
    return "" if isinstance(program, extract.Rejected) else program


def _asserts(answer: str, entry_point: str) -> list[str]:
    """Single asserts of an answer that may hold more than asserts."""
    _, *chunks = ("\n" + answer).split("\nassert ")
    return extract.tests("\n".join(f"assert {chunk}" for chunk in chunks), entry_point)[0]


def earliest(answers: Iterable[Sequence[str]], most: int | None = None) -> dict[str, int]:
    """Distinct tests in order of first appearance, and the earliest place each has in an answer; the first `most`."""
    places: dict[str, int] = {}
    for answer in answers:
        for place, test in enumerate(answer):
            places[test] = min(place, places.get(test, place))
    return dict(itertools.islice(places.items(), most))


def run(
    generations: Iterable[Generations], workers: int, first: int | None = None, most_tests: int | None = None
) -> Iterator[Task]:
    """Every distinct program of a task on every distinct test, in the sandbox.

    Args:
        generations: The tasks.
        workers: Sandboxes.
        first: Only the first so many tests of an answer.
        most_tests: Only the first so many distinct tests of a task.
    """
    items = list(generations)
    programs = [tuple(dict.fromkeys(program for program in item.programs if program)) for item in items]
    tests = [earliest((answer[:first] for answer in item.answers), most_tests) for item in items]
    jobs = (
        Job(item.task_id, mine, tuple(theirs), item.entry_point)
        for item, mine, theirs in zip(items, programs, tests, strict=True)
    )
    for item, mine, theirs, matrix in zip(
        items, programs, tests, execute(jobs, Limits(), workers=workers), strict=True
    ):
        row = {program: index for index, program in enumerate(mine)}
        yield Task(
            item.task_id,
            item.entry_point,
            mine,
            tuple(row.get(program, -1) for program in item.programs),
            item.passed,
            item.plus,
            tuple(theirs),
            tuple(theirs.values()),
            tuple(tuple(cell.verdict for cell in cells) for cells in matrix.cells),
            tuple(tuple(cell.fingerprint for cell in cells) for cells in matrix.cells),
        )
        print(f"{item.task_id}: {len(mine)} x {len(theirs)}", file=sys.stderr)


def load(path: Path) -> list[Task]:
    """The tasks of a cache file.

    Raises:
        CodeprefError: the file is not there.
    """
    if not path.is_file():
        raise CodeprefError(f"{path}: no such file; make it with: python -m benchmarks.label_matrix {path}")
    return list(from_table(pq.read_table(path), Task))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cache", type=Path)
    parser.add_argument("--set", choices=SETS, default="codet")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--samples", type=int, help="only the first N codes and answers of a task")
    parser.add_argument("--first", type=int, help="only the first N asserts of an answer")
    parser.add_argument("--most-tests", type=int, help="only the first N distinct tests of a task")
    arguments = parser.parse_args()
    source = codet if arguments.set == "codet" else agentcoder
    tasks = list(
        run(source(arguments.data, arguments.samples), arguments.workers, arguments.first, arguments.most_tests)
    )
    pq.write_table(to_table(tasks, Task), arguments.cache, compression="zstd")
    cells = sum(len(task.programs) * len(task.tests) for task in tasks)
    print(f"{len(tasks)} tasks, {cells} cells -> {arguments.cache}")


if __name__ == "__main__":
    main()
