"""Verdict by verdict: this project's evaluation beside official verdicts on the same outputs.

    python benchmarks/verdicts.py DATA evalplus|ds1000|bigcodebench [--jobs N] [--limit N] [--cache DIR] [--out FILE]

DATA is a folder with `benchmarks/` and `verdicts_evalplus/`, `verdicts_ds1000/`, `verdicts_bigcodebench/`. Prints every
difference and one JSON line of counts. DS-1000 and BigCodeBench need their environments (`codepref evaluate --prepare`)
and come in an order drawn with seed 0, so that the first N are a fair sample. With `--out` every verdict of these two
is kept in a file as it comes: the same command goes on from there.
"""

import argparse
import collections
import dataclasses
import json
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from codepref.files import read_rows
from evaluation import bigcodebench, ds1000, humaneval, mbpp
from evaluation.benchmark import CACHE, Graded, Problem, Settings
from evaluation.grade import environment, inputs

MODULES = "import math, re, sys, copy, datetime, itertools, collections, heapq, functools, hashlib, string\n"
STARS = "from typing import *\nfrom collections import *\n"


def show(name: str, pairs: Iterator[tuple[str, str, Any, Graded]], began: float) -> None:
    """Prints differences: (id, what, official, ours)."""
    counts: collections.Counter[str] = collections.Counter()
    for key, what, official, ours in pairs:
        verdict = getattr(ours, what)
        counts["equal" if official == (verdict == "passed") else "different"] += 1
        if official != (verdict == "passed"):
            print(f"{key}: {what} official {official}, here {verdict}: {ours.error}")
    print(json.dumps({"set": name, **counts, "wall_s": round(time.time() - began, 1)}), flush=True)


def grouped(problems: list[Problem], programs: list[tuple[str, str]]) -> list[tuple[Problem, list[str]]]:
    """Problems with their programs, in order."""
    found: dict[str, list[str]] = {}
    for task_id, program in programs:
        found.setdefault(task_id, []).append(program)
    return [(problem, found[problem.task_id]) for problem in problems if problem.task_id in found]


def graded(
    problems: list[Problem], programs: list[tuple[str, str]], settings: Settings
) -> dict[tuple[str, str], Graded]:
    """Verdict of each (task, program)."""
    work = grouped(problems, programs)
    answers = inputs.grade_inputs(work, settings)
    return {
        (problem.task_id, program): found
        for (problem, texts), verdicts in zip(work, answers, strict=True)
        for program, found in zip(texts, verdicts, strict=True)
    }


def evalplus(data: Path, settings: Settings, limit: int | None) -> None:
    """82 official verdicts, and 1,964 outputs of models that were judged with EvalPlus."""
    began = time.time()
    table = [row for _, row in read_rows(data / "verdicts_evalplus" / "humaneval_llama-3.1-70b-instruct.jsonl.gz")][
        :limit
    ]
    problems = humaneval.load_plus(data / "benchmarks" / "HumanEvalPlus-v0.1.10.jsonl.gz")
    found = graded(problems, [(row["task_id"], row["solution"]) for row in table], settings)
    pairs = (
        (row["task_id"], f"{part}_verdict", row[f"{part}_status"] == "pass", found[row["task_id"], row["solution"]])
        for row in table
        for part in ("base", "plus")
    )
    show("llama-3.1-70b-instruct", pairs, began)
    for name, benchmark in (("humaneval", problems), ("mbpp", None)):
        model_outputs(
            data, name, benchmark or mbpp.load_plus(data / "benchmarks" / "MbppPlus-v0.2.0.jsonl.gz"), settings, limit
        )


def model_outputs(data: Path, name: str, problems: list[Problem], settings: Settings, limit: int | None) -> None:
    """Outputs of several models: `plus_passed` was asked only where the plain tests pass, with and without imports."""
    began = time.time()
    table = [
        row for _, row in read_rows(data / "verdicts_evalplus" / "model_outputs.jsonl.gz") if row["benchmark"] == name
    ]
    table = [row for row in table if row["plus_passed"] is not None][:limit]
    prompts = {problem.task_id: problem.prompt + "\n" if name == "humaneval" else "" for problem in problems}

    def task(row: dict[str, Any]) -> str:
        return str(row["task_id"]) if name == "humaneval" else f"Mbpp/{str(row['task_id']).removeprefix('Mbpp/')}"

    def program(row: dict[str, Any], imports: str) -> str:
        return imports + prompts[task(row)] + row["code"]

    without = graded(problems, [(task(row), program(row, STARS)) for row in table], settings)
    failed = [row for row in table if without[task(row), program(row, STARS)].verdict != "passed"]
    with_modules = graded(problems, [(task(row), program(row, MODULES + STARS)) for row in failed], settings)

    def verdict(row: dict[str, Any]) -> Graded:
        first = without[task(row), program(row, STARS)]
        return first if first.verdict == "passed" else with_modules[task(row), program(row, MODULES + STARS)]

    pairs = (
        (f"{task(row)} {row['model']} {row['run']}", "verdict", row["plus_passed"], verdict(row))
        for row in table
        if row["passed"]
    )
    show(f"model_outputs {name} (plain tests pass)", pairs, began)
    rest = (
        (f"{task(row)} {row['model']} {row['run']}", "verdict", False, verdict(row))
        for row in table
        if not row["passed"]
    )
    show(f"model_outputs {name} (plain tests fail)", rest, began)


def official(data: Path, which: str, settings: Settings, limit: int | None, out: Path | None) -> None:
    """Recorded verdicts of upstream's own procedure, in the benchmark's own interpreter."""
    began = time.time()
    module: Any = {"ds1000": ds1000, "bigcodebench": bigcodebench}[which]
    files = {
        "ds1000": ("ds1000.jsonl.gz", "derived_answers.jsonl.gz", "problem_id", "answer"),
        "bigcodebench": ("BigCodeBench-v0.1.4.jsonl.gz", "qwen2.5-coder-7b.jsonl.gz", "task_id", "solution"),
    }
    benchmark_file, verdict_file, key, text = files[which]
    problems = {problem.task_id: problem for problem in module.load(data / "benchmarks" / benchmark_file)}
    table = [row for _, row in read_rows(data / f"verdicts_{which}" / verdict_file)]
    random.Random(0).shuffle(table)
    table = table[:limit]
    settings = dataclasses.replace(settings, python=environment.python(which, settings.cache))
    kept = [row for _, row in read_rows(out)] if out is not None and out.exists() else []
    kept = kept[: len(table)]
    todo = table[len(kept) :]
    work = ((problems[str(row[key])], [module.program(problems[str(row[key])], row[text])]) for row in todo)

    def verdicts() -> Iterator[Graded]:
        """Those of the file, then new ones, which are appended to it."""
        yield from (Graded(row["verdict"], error=row["error"]) for row in kept)
        for row, (graded,) in zip(todo, module.grade(work, settings), strict=True):
            if out is not None:
                line = {"task": str(row[key]), "verdict": graded.verdict, "error": graded.error}
                with out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
            yield graded

    pairs = (
        (str(row[key]), "verdict", row["passed"] if "passed" in row else row["status"] == "pass", graded)
        for row, graded in zip(table, verdicts(), strict=True)
    )
    show(which, pairs, began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("which", choices=("evalplus", "ds1000", "bigcodebench"))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--cache", type=Path, default=CACHE, help="with the environments (%(default)s)")
    parser.add_argument("--out", type=Path, help="ds1000, bigcodebench: verdicts so far, to go on from")
    args = parser.parse_args()
    settings = dataclasses.replace(Settings(), workers=args.jobs, cache=args.cache)
    if args.which == "evalplus":
        evalplus(args.data, settings, args.limit)
    else:
        official(args.data, args.which, settings, args.limit, args.out)


if __name__ == "__main__":
    main()
