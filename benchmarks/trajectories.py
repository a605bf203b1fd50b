"""Turns published debugging trajectories into a trajectories file for `codepref build codeflow`.

    python benchmarks/trajectories.py DATA OUT.jsonl.gz [--sets ldb lats mint] [--benchmarks humaneval mbpp]

DATA is a folder with `trajectories/*.jsonl.gz` (LDB, arXiv 2402.16906, Apache-2.0; LATS, arXiv 2310.04406, MIT; MINT,
arXiv 2309.10691, Apache-2.0) and `benchmarks/` (HumanEval, MBPP). The tests are the benchmarks' own, one assertion a
test where they are nothing but assertions; what the sources say about a version is not used. The prompts are a
benchmark's: datasets built from them are for measuring only.
"""

import argparse
import ast
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SETS = {"ldb": "Apache-2.0", "lats": "MIT", "mint": "Apache-2.0"}
LICENCES = {"humaneval": "MIT", "mbpp": "CC-BY-4.0"}
MODULES = (
    "math",
    "re",
    "sys",
    "copy",
    "datetime",
    "itertools",
    "collections",
    "heapq",
    "functools",
    "hashlib",
    "string",
)
IMPORTS = "".join(f"import {name}\n" for name in MODULES) + "from typing import *\nfrom collections import *"
"""What the sources had in scope while their versions ran."""


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a gzipped JSON-lines file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def tasks(data: Path, names: list[str]) -> dict[str, dict[str, Any]]:
    """Prompt, tests and what a version needs before it, by task id."""
    found = dict[str, dict[str, Any]]()
    if "humaneval" in names:
        for row in read(data / "benchmarks" / "HumanEval.jsonl.gz"):
            helpers = row["prompt"].partition(f"def {row['entry_point']}(")[0]
            tests = asserts(row["test"], row["entry_point"])
            if "def " in helpers:  # the tests of some tasks call them
                tests = ["\n".join([helpers, *tests])]
            before = f"{IMPORTS}\n{helpers.strip()}\n"
            task = {"prompt": row["prompt"], "tests": tests, "before": before, "entry_point": row["entry_point"]}
            found[row["task_id"]] = task
    if "mbpp" in names:
        for row in read(data / "benchmarks" / "mbpp.jsonl.gz"):
            setup = row["test_setup_code"]
            tests = [f"{setup}\n{test}" if setup else test for test in row["test_list"]]
            prompt = f"{row['text']}\nYour code should pass this test:\n\n{row['test_list'][0]}\n"
            defined = re.findall(r"(?:def|class)\s+(\w+)", row["code"])
            name = next(name for name in re.findall(r"\w+", row["test_list"][0]) if name in defined)
            task = {"prompt": prompt, "tests": tests, "before": f"{IMPORTS}\n", "entry_point": name}
            found[f"Mbpp/{row['task_id']}"] = task
    return found


def asserts(test: str, entry_point: str) -> list[str]:
    """The tests in HumanEval's `check(candidate)`: one an assertion, or the whole where it holds other statements."""
    tree = ast.parse(test)
    check = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "check")
    for node in ast.walk(check):
        if isinstance(node, ast.Name) and node.id == "candidate":
            node.id = entry_point
    if all(isinstance(node, ast.Assert) for node in check.body):
        return list(dict.fromkeys(ast.unparse(node) for node in check.body))
    return [f"{test.strip()}\n\ncheck({entry_point})\n"]


def convert(data: Path, sets: list[str], names: list[str]) -> Iterator[dict[str, Any]]:
    """One line a trajectory."""
    known = tasks(data, names)
    for name in sets:
        for row in read(data / "trajectories" / f"{name}.jsonl.gz"):
            if row["task_id"] not in known:
                continue
            task = known[row["task_id"]]
            hidden = row.get("hidden_test")
            yield {
                "prompt_id": row["task_id"],
                "prompt": task["prompt"],
                "entry_point": task["entry_point"] if not hidden else row["entry_point"],
                "tests": asserts(hidden, row["entry_point"]) if hidden else task["tests"],
                "versions": [f"{task['before']}\n{attempt['code']}" for attempt in row["attempts"]],
                "source": f"{row['task_id'].partition('/')[0]}, a benchmark: for measuring only ({row['source']})",
                "licence": LICENCES[row["benchmark"]],
                "generator": f"{row['model']} ({row['source']}, {row['run']})",
            }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--benchmarks", nargs="+", choices=LICENCES, default=list(LICENCES))
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    opened = gzip.open if arguments.out.suffix == ".gz" else open
    count = 0
    with opened(arguments.out, "wt", encoding="utf-8") as out:
        for row in convert(arguments.data, arguments.sets, arguments.benchmarks):
            out.write(json.dumps(row) + "\n")
            count += 1
    print(f"{count} trajectories -> {arguments.out}")


if __name__ == "__main__":
    main()
