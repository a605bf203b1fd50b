"""`codepref convert`: sets of contest tasks in, prompts with tests out, or recordings of the programs they hold.

    codepref convert code_contests --input train.parquet --output prompts.jsonl --tests 20
    codepref convert apps --input train.jsonl --output recordings.jsonl --codes 15

Shapes: `codepref.contests`. What can not be used (no tests, files instead of streams) is left out, and counted.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from codepref.commands.options import positive
from codepref.contests import SHAPES, ContestTask
from codepref.errors import CodeprefError
from codepref.files import LineError, read_rows, write_lines
from codepref.stdin import LOOSEST, read_test


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("shape", choices=sorted(SHAPES), help="of the rows of the input")
    parser.add_argument("--input", type=Path, required=True, metavar="FILE", help="JSON lines, JSON or Parquet")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="JSON lines")
    parser.add_argument("--tests", type=positive, metavar="N", help="first tests of a task that are kept")
    parser.add_argument("--codes", type=positive, metavar="N", help="write recordings, of its first programs")
    parser.add_argument("--tolerance", type=float, metavar="X", help="of fractions (default: that of the set)")
    parser.add_argument("--licence", metavar="NAME", help="licence of the tasks, for the card")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0; raises `CodeprefError` where nothing can be used."""
    allowed = arguments.tolerance
    if allowed is not None and not 0 <= allowed <= LOOSEST:
        raise CodeprefError(f"--tolerance must be from 0 to {LOOSEST:g}, not {allowed}")
    if arguments.output.exists() and arguments.output.samefile(arguments.input):
        raise CodeprefError(f"{arguments.output} is the input, too; name another --output")
    left_out: Counter[str] = Counter()
    first: dict[str, int] = {}
    lines = _lines(arguments, left_out, first)
    one = next(lines, None)
    count = 0 if one is None else write_lines(arguments.output, chain([one], lines))
    for reason, times in sorted(left_out.items()):
        sys.stderr.write(f"left out {times}: {reason} (first: {arguments.input}:{first[reason]})\n")
    if not count:
        raise CodeprefError(f"{arguments.input}: no row can be used as {arguments.shape}; name the shape it has")
    sys.stderr.write(f"{arguments.output}: {count} tasks\n")
    return 0


def _lines(arguments: argparse.Namespace, left_out: Counter[str], first: dict[str, int]) -> Iterator[str]:
    """One line a task that can be used; ids that repeat get the row's number."""
    ids: set[str] = set()
    for number, row in read_rows(arguments.input):
        try:
            task = SHAPES[arguments.shape](row, arguments.tolerance)
            if arguments.codes and not task.codes:
                raise LineError("no program in Python 3", "leave it out")
        except LineError as error:
            left_out[error.problem] += 1
            first.setdefault(error.problem, number)
            continue
        prompt_id = task.prompt_id if task.prompt_id not in ids else f"{task.prompt_id}-{number}"
        ids.add(prompt_id)
        yield json.dumps(_entry(task, prompt_id, arguments), ensure_ascii=False)


def _entry(task: ContestTask, prompt_id: str, arguments: argparse.Namespace) -> dict[str, Any]:
    tests = task.tests[: arguments.tests]
    entry: dict[str, Any] = {
        "prompt_id": prompt_id,
        "prompt": task.prompt,
        "entry_point": task.entry_point or None,
        "tests": [test if read_test(test) is None else json.loads(test) for test in tests],
        "source": task.source,
    }
    if arguments.codes:
        entry["codes"] = list(task.codes[: arguments.codes])
    if arguments.licence:
        entry["licence"] = arguments.licence
    return entry
