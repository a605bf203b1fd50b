"""What extraction does to real programs whose verdict is known, and to whole answers.

    python benchmarks/extraction.py DATA [--cases DIR] [--jobs N] [--show N]

DATA is a folder with `benchmarks/`, `verdicts_evalplus/`, `verdicts_bigcodebench/`, `trajectories/`,
`agentcoder_humaneval/` and `codet_humaneval/`; its README tells how the programs were judged. Every distinct program of
a task is read as an answer to the task's prompt. Where extraction gives something else than what was judged, both are
run on the task's own tests:

    lost     passed as it stood, fails now
    won      failed as it stood, passes now
    rejected failed as it stood, and holds no program

CASES (`answers.jsonl`) are answers with what should come of them: `right`, `none` or `either`.
"""

import argparse
import ast
import collections
import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from codepref import extract
from codepref.files import read_rows
from codepref.sandbox import Job, Limits, Matrix, Sandbox, execute

IMPORTS = (
    "import math, re, sys, copy, datetime, itertools, collections, heapq, functools, hashlib, string\n"
    "from typing import *\nfrom collections import *\n"
)
"""What stood above every program when it was judged."""
LIMITS = Limits(cpu_s=3.0, screen_s=None, load_s=5.0, memory_mb=4096)
BATCH = 512


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a JSON-lines file."""
    return (row for _, row in read_rows(path))


@dataclass(frozen=True)
class Task:
    """One task of HumanEval or MBPP, with its own tests."""

    entry_point: str
    prompt: str
    tests: str
    before: str
    """What stands before a program when it is judged as it is: HumanEval's prompt."""


@dataclass(frozen=True)
class Program:
    """A real model's program for a task."""

    source: str
    task: Task
    text: str

    @property
    def whole(self) -> str:
        """What was judged."""
        return f"{self.task.before}{self.text}"


def tasks(data: Path) -> dict[str, Task]:
    """The tasks by the ids that the sets of programs use."""
    found = {}
    for row in rows(data / "benchmarks" / "HumanEval.jsonl.gz"):
        tests = f"{row['test']}\ncheck({row['entry_point']})\n"
        found[row["task_id"]] = Task(row["entry_point"], row["prompt"], tests, row["prompt"] + "\n")
    for row in rows(data / "benchmarks" / "mbpp.jsonl.gz"):
        tests = "\n".join([row["test_setup_code"], *row["test_list"]])
        found[f"Mbpp/{row['task_id']}"] = Task(_tested(row["code"], row["test_list"]), row["text"], tests, "")
    return found


def _tested(code: str, tests: Sequence[str]) -> str:
    """The function of a reference that its tests call: MBPP does not name it."""
    tree = extract.parse(code)
    own = [node.name for node in (tree.body if tree else ()) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    called = set(re.findall(r"\w+", " ".join(tests)))
    return next((name for name in own if name in called), "")


def programs(data: Path) -> Iterator[Program]:
    """The distinct programs of every task."""
    known = tasks(data)
    seen: set[tuple[str, str]] = set()
    for source, row, text in _texts(data):
        task = known.get(
            row["task_id"] if row["task_id"].startswith("HumanEval") else "Mbpp/" + row["task_id"].split("/")[-1]
        )
        if task is None or row.get("hidden_test") or not task.entry_point or (row["task_id"], text) in seen:
            continue
        seen.add((row["task_id"], text))
        yield Program(source, task, text)


def _texts(data: Path) -> Iterator[tuple[str, dict[str, Any], str]]:
    for row in rows(data / "verdicts_evalplus" / "model_outputs.jsonl.gz"):
        yield "verdicts", row, row["code"]
    for name in ("lats", "ldb", "mint"):
        for row in rows(data / "trajectories" / f"{name}.jsonl.gz"):
            for attempt in row["attempts"]:
                yield name, row, attempt["code"]
    for row in rows(data / "agentcoder_humaneval" / "solutions_and_tests.jsonl.gz"):
        for solution in row["solutions"]:
            yield "agentcoder", row, solution["code"]
    for row in rows(data / "codet_humaneval" / "solutions.jsonl.gz"):
        for text in row["samples"]:
            yield "codet", row, text


def measured(found: Sequence[Program], jobs: int, show: int) -> dict[str, collections.Counter[str]]:
    """Counts by source."""
    with Sandbox() as sandbox:
        began = time.process_time(), time.time()
        new = []
        for start in range(0, len(found), BATCH):
            answers = [_answer(program) for program in found[start : start + BATCH]]
            new += extract.extracted(answers, lambda: sandbox)
        print(f"{len(found)} programs read in {time.time() - began[1]:.0f} s", file=sys.stderr)
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    changed = list[tuple[Program, extract.Extracted | extract.Rejected]]()
    for program, item in zip(found, new, strict=True):
        counts[program.source]["programs"] += 1
        counts["rules"][item.rule] += 1
        shape = "" if isinstance(item, extract.Rejected) else extract.shape(item.program)
        counts[program.source]["changed"] += shape not in (extract.shape(program.whole), extract.shape(program.text))
        if shape != extract.shape(program.whole):
            changed.append((program, item))
    for (program, item), matrix in zip(
        changed, execute(_jobs(changed), LIMITS, workers=jobs, batch_cells=64), strict=True
    ):
        kind = _kind(matrix, item)
        counts[program.source][kind] += 1
        if kind == "lost" and show > 0:
            show -= 1
            after = item.program if isinstance(item, extract.Extracted) else item
            print(
                f"==== lost: {program.task.entry_point}\n{program.text}\n---- {item.rule}\n{after}\n", matrix.cells[-1]
            )
    return counts


def _answer(program: Program) -> extract.Answer:
    return extract.Answer(program.text, program.task.prompt, program.task.entry_point)


def _jobs(changed: Sequence[tuple[Program, extract.Extracted | extract.Rejected]]) -> Iterator[Job]:
    for number, (program, item) in enumerate(changed):
        after = item.program if isinstance(item, extract.Extracted) else ""
        future = [row for row in after.split("\n") if row.startswith("from __future__")]
        head = "\n".join([*future, IMPORTS])
        yield Job(str(number), (f"{IMPORTS}{program.whole}", f"{head}{after}"), (program.task.tests,))


def _kind(matrix: Matrix, item: extract.Extracted | extract.Rejected) -> str:
    before, after = (cells[0].verdict == "passed" for cells in matrix.cells)
    if before != after:
        return "lost" if before else "won"
    if isinstance(item, extract.Rejected):
        return "rejected"
    return "passes, passed" if after else "fails, failed"


def unrun(data: Path) -> collections.Counter[str]:
    """BigCodeBench's solutions of a chat model, which need an environment of their own: read, not run."""
    prompts = {row["task_id"]: row for row in rows(data / "benchmarks" / "BigCodeBench-v0.1.4.jsonl.gz")}
    table = rows(data / "verdicts_bigcodebench" / "qwen2.5-coder-7b.jsonl.gz")
    counts: collections.Counter[str] = collections.Counter(programs=len(table))
    for row in table:
        prompt = prompts[row["task_id"]]["complete_prompt"]
        (item,) = extract.extracted([extract.Answer(row["solution"], prompt, "task_func")], None)
        if isinstance(item, extract.Rejected):
            counts[item.rule] += 1
        else:
            counts["changed"] += extract.shape(item.program) != extract.shape(row["solution"])
    return counts


def tests(data: Path) -> Iterator[tuple[str, collections.Counter[str]]]:
    """What becomes of the tests that two models wrote."""
    agentcoder = rows(data / "agentcoder_humaneval" / "solutions_and_tests.jsonl.gz")
    codet = rows(data / "codet_humaneval" / "generated_tests.jsonl.gz")
    texts = {
        "agentcoder": [(row["entry_point"], text) for row in agentcoder for text in row["generated_tests"]],
        "codet": [(row["entry_point"], f"assert {text}") for row in codet for text in row["samples"]],
    }
    for name, answers in texts.items():
        counts: collections.Counter[str] = collections.Counter(answers=len(answers))
        for entry_point, text in answers:
            found, rejected = extract.tests(text, entry_point)
            counts["tests"] += len(found)
            counts["answers with tests"] += bool(found)
            counts.update(item.rule for item in rejected)
        yield name, counts


def cases(path: Path) -> collections.Counter[str]:
    """How the cases of a file come out."""
    table = rows(path)
    with Sandbox() as sandbox:
        answers = [extract.Answer(row["answer"], row["prompt"], row["entry_point"]) for row in table]
        new = extract.extracted(answers, lambda: sandbox)
        tests = ("assert add(0, 1) == 1", "assert add(2, 3) == 5", "assert add(-7, 7) == 0")
        texts = [item.program if isinstance(item, extract.Extracted) else "" for item in new]
        matrices = sandbox.run_many([Job(str(n), (text,), tests) for n, text in enumerate(texts)])
        right = [all(cell.verdict == "passed" for cell in matrix.cells[0]) for matrix in matrices]
    counts: collections.Counter[str] = collections.Counter()
    for row, is_right in zip(table, right, strict=True):
        counts[f"{row['want']}: {'a right program' if is_right else 'no right program'}"] += 1
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cases", type=Path, help="folder with answers.jsonl")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--show", type=int, default=0, help="programs that were lost to print")
    args = parser.parse_args()
    for source, counts in measured(list(programs(args.data)), args.jobs, args.show).items():
        print(json.dumps({"source": source, **counts}))
    print(json.dumps({"source": "bigcodebench, not run", **unrun(args.data)}))
    for source, counts in tests(args.data):
        print(json.dumps({"source": f"tests of {source}", **counts}))
    if args.cases:
        print(json.dumps({"source": "cases", **cases(args.cases / "answers.jsonl")}))


if __name__ == "__main__":
    main()
