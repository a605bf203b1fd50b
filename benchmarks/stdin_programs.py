"""Real programs that read standard input, in the sandbox: do accepted versions agree, and who is faster, at what price?

    PYTHONPATH=. python benchmarks/stdin_programs.py pairs --data ../shared/data
    PYTHONPATH=. python benchmarks/stdin_programs.py speed --data ../shared/data

pairs   slow and fast program of one author for one problem (PIE, from Project CodeNet), both accepted there. They come
        without inputs; `stdin_inputs.py` makes them. Both run on all inputs of their problem; printed words have to be
        equal. The set has passed all programs through 2to3: its `eval(input())` is undone. What needs a library that is
        not installed here, or another Python, is counted apart. CPU time is that of all inputs together, the least of
        `--rounds` runs, and is held against the CPU time that the site recorded, where that differs by 2x or more.
speed   cells a second of the sandbox beside a plain `subprocess` a cell, and with `--peer FOLDER` beside the runner of
        LiveCodeBench (a clone of its repository, inside of this one), alternating. Neither has any protection: run it
        in a throw-away root, `python tests/sandbox/container.py --profile open -- python -m benchmarks.stdin_programs
        speed ...`. LiveCodeBench runs all inputs of a program one after the other in one process.
"""

import argparse
import gzip
import json
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.stdin_inputs import MAKERS, SEVERAL_RIGHT
from codepref.sandbox import Cell, Job, Limits, Sandbox
from codepref.stdin import StdinTest

LIMITS = Limits(cpu_s=5.0, screen_s=None, wall_s=120.0)
CLEARLY = 2.0
MOST_A_PROBLEM = 12
SEED = 0
LIBRARIES = ("numpy", "scipy", "numba", "networkx")
PEER = """
import json, resource, sys, time
from lcb_runner.evaluation.compute_code_generation_metrics import check_correctness
start, passed = time.monotonic(), 0
for code, inputs, outputs in json.load(sys.stdin):
    sample = {"input_output": json.dumps({"inputs": inputs, "outputs": outputs})}
    found, _ = check_correctness(sample, code, timeout=6, debug=False)
    passed += sum(one is True or one == 1 for one in found)
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(json.dumps([time.monotonic() - start, sum(one.ru_utime + one.ru_stime for one in used), passed]))
"""
"""Runs programs as LiveCodeBench does and says wall seconds, CPU seconds and how many inputs passed."""
INPUTS = 8
"""Times that a program is run for the speed."""
NEEDS = ("ImportError", "ModuleNotFoundError", "AttributeError: module", "NameError: name 'gcd'")
"""What a program says that was written for another environment."""


@dataclass(frozen=True)
class Compared:
    """What came of one pair."""

    problem: str
    place: int
    why: str
    """`agree`, `needs`: something that is not here, `several right`, or `differ`."""
    detail: str
    """Where the outputs differ first, or how a version ended."""
    slow_s: float
    fast_s: float
    recorded: float
    """CPU time of the slow version over that of the fast one, as recorded."""
    imports: bool
    """One of them imports a large library."""

    @property
    def ratio(self) -> float:
        """The same as measured here."""
        return self.slow_s / max(self.fast_s, 1e-6)


def pairs_of(data: Path, most: int) -> list[tuple[int, dict[str, Any]]]:
    """Pairs of problems that there are inputs for, in the order of the file, at most `most` a problem."""
    with gzip.open(data / "efficiency" / "pie_python_pairs.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    taken: Counter[str] = Counter()
    found = []
    for place, row in enumerate(rows):
        if row["problem_id"] in MAKERS and taken[row["problem_id"]] < most:
            taken[row["problem_id"]] += 1
            found.append((place, row | {name: original(row[name]) for name in ("slow", "fast")}))
    return found


def original(program: str) -> str:
    """A program as it was handed in: Python 3, whose `input()` 2to3 took for that of Python 2."""
    return re.sub(r"\beval\((input\([^()]*\))\)", r"\1", program)


def inputs_of(problem: str) -> list[str]:
    """The same ones whoever asks."""
    return MAKERS[problem](random.Random(f"{SEED} {problem}"))


def compare(sandbox: Sandbox, place: int, row: dict[str, Any], rounds: int) -> Compared:
    """Runs both versions on all inputs. What they print is told by fingerprints: no output is expected."""
    tests = tuple(StdinTest(given, ("",)).text for given in inputs_of(row["problem_id"]))
    job = Job(row["problem_id"], (row["slow"], row["fast"]), tests)
    runs = [sandbox.run(job).cells for _ in range(rounds)]
    seconds = [min(sum(cell.cpu_s for cell in cells[version]) for cells in runs) for version in (0, 1)]
    words = (row["slow"] + row["fast"]).split()
    detail = difference(*runs[0])
    return Compared(
        row["problem_id"], place, reason(row["problem_id"], detail), detail, *seconds,
        row["cpu_time_slow_ms"] / max(1, row["cpu_time_fast_ms"]), any(name in words for name in LIBRARIES),
    )  # fmt: skip


def reason(problem: str, detail: str) -> str:
    """The word for what came of a pair."""
    if not detail:
        return "agree"
    if any(f", {word}" in detail for word in NEEDS):
        return "needs"
    return "several right" if problem in SEVERAL_RIGHT and ", output: " in detail else "differ"


def difference(slow: Sequence[Cell], fast: Sequence[Cell]) -> str:
    """The first input on which one of them did not end well, or on which they printed different words."""
    for number, (left, right) in enumerate(zip(slow, fast, strict=True)):
        for name, cell in (("slow", left), ("fast", right)):
            if cell.verdict not in ("passed", "failed") or (cell.error and not cell.error.startswith("line ")):
                return f"input {number}, {name} version: {cell.verdict}, {cell.error}"
        if left.fingerprint != right.fingerprint:
            got = " against ".join(cell.error.rpartition(", got ")[2] or "nothing" for cell in (left, right))
            return f"input {number}, output: {got}"
    return ""


def run_pairs(arguments: argparse.Namespace) -> dict[str, Any]:
    """Compares all pairs; says what differs on standard error."""
    chosen = pairs_of(arguments.data, arguments.most)
    with Sandbox(LIMITS) as sandbox:
        found = []
        for place, row in chosen:
            found.append(compare(sandbox, place, row, arguments.rounds))
            one = found[-1]
            if arguments.rows:
                with arguments.rows.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(vars(one)) + "\n")
            if one.detail:
                sys.stderr.write(f"{one.problem} pair {one.place}, {one.why}: {one.detail}\n")
            elif one.recorded >= CLEARLY and one.ratio <= 1:
                sys.stderr.write(f"{one.problem} pair {one.place}: {one.ratio:.2f}x, recorded {one.recorded:.2f}x\n")
        layers = sandbox.layers
    return summary(found) | {"layers": list(layers), "inputs": sum(len(inputs_of(one.problem)) for one in found)}


def summary(found: Sequence[Compared]) -> dict[str, Any]:
    """Figures on all pairs."""
    agree = [one for one in found if one.why == "agree"]
    clear = [one for one in agree if one.recorded >= CLEARLY]
    plain = [one for one in clear if not one.imports]
    both = [one for one in clear if max(one.ratio, 1 / one.ratio) >= CLEARLY]
    return {
        "pairs": len(found),
        "problems": len({one.problem for one in found}),
        **Counter(one.why for one in found),
        "recorded_2x": len(clear),
        "recorded_2x_same_order": sum(one.ratio > 1 for one in clear),
        "recorded_2x_no_library": len(plain),
        "recorded_2x_no_library_same_order": sum(one.ratio > 1 for one in plain),
        "both_2x": len(both),
        "both_2x_same_order": sum(one.ratio > 1 for one in both),
    }


def run_speed(arguments: argparse.Namespace) -> dict[str, Any]:
    """Small inputs of many programs: what a cell costs besides the program, here and with other runners."""
    chosen = [row for _, row in pairs_of(arguments.data, 2) if not any(name in row["fast"] for name in LIBRARIES)]
    cells = [(row["fast"], inputs_of(row["problem_id"])[0]) for row in chosen][: arguments.cells]
    printed = plain_runs(cells)
    jobs = [
        Job(f"{number}", (code,), (StdinTest(given, (output,)).text,) * INPUTS)
        for number, ((code, given), output) in enumerate(zip(cells, printed, strict=True))
    ]
    figures: dict[str, list[tuple[float, float, int]]] = {"sandbox": [], "subprocess": []}
    for _ in range(arguments.rounds):
        figures["sandbox"].append(timed(lambda: sandbox_runs(jobs)))
        figures["subprocess"].append(timed(lambda: len(plain_runs(cells * INPUTS))))
        if arguments.peer:
            figures.setdefault("livecodebench", []).append(peer_runs(arguments.peer, cells, printed))
    return {"cells": INPUTS * len(cells)} | {name: speed_of(rounds) for name, rounds in figures.items()}


def speed_of(rounds: Sequence[tuple[float, float, int]]) -> dict[str, Any]:
    """Medians of rounds, each wall seconds, CPU seconds and cells that passed."""
    walls, cpus, counts = zip(*rounds, strict=True)
    wall_s, cpu_s, passed = statistics.median(walls), statistics.median(cpus), min(counts)
    return {
        "passed": passed,
        "cells_a_second": round(passed / wall_s),
        "wall_ms_a_cell": round(1000 * wall_s / passed, 3),
        "cpu_ms_a_cell": round(1000 * cpu_s / passed, 3),
    }


def sandbox_runs(jobs: Sequence[Job]) -> int:
    """Judges all cells here, the start and the end of the sandbox included; how many pass."""
    with Sandbox(LIMITS) as sandbox:
        return sum(cell.verdict == "passed" for matrix in sandbox.run_many(jobs) for cell in matrix.cells[0])


def peer_runs(peer: Path, cells: Sequence[tuple[str, str]], printed: Sequence[str]) -> tuple[float, float, int]:
    """Wall seconds, CPU seconds and passed cells of LiveCodeBench's runner, one process a program."""
    asked = [(code, [given] * INPUTS, [output] * INPUTS) for (code, given), output in zip(cells, printed, strict=True)]
    done = subprocess.run(
        [sys.executable, "-c", PEER], input=json.dumps(asked), capture_output=True, text=True, check=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(peer.resolve())},
    )  # fmt: skip
    wall_s, cpu_s, passed = json.loads(done.stdout.splitlines()[-1])
    return wall_s, cpu_s, passed


def timed(body: Callable[[], int]) -> tuple[float, float, int]:
    """Wall and CPU seconds, the latter of this process and the children that ended, and what came out."""
    start, before = time.monotonic(), cpu_seconds()
    found = body()
    return time.monotonic() - start, cpu_seconds() - before, found


def cpu_seconds() -> float:
    """Of this process and of the children that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def plain_runs(cells: Sequence[tuple[str, str]]) -> list[str]:
    """What each program prints, in a fresh interpreter without any protection: accepted programs of a public set."""
    printed = []
    for code, given in cells:
        done = subprocess.run(
            [sys.executable, "-I", "-c", code], input=given, capture_output=True, text=True, timeout=60, check=False,
            env={"PATH": os.environ["PATH"]},
        )  # fmt: skip
        printed.append(done.stdout)
    return printed


def main() -> None:
    """Prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("pairs", "speed"))
    parser.add_argument("--data", type=Path, required=True, help="folder with efficiency/pie_python_pairs.jsonl.gz")
    parser.add_argument("--most", type=int, default=MOST_A_PROBLEM, help="pairs of one problem")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cells", type=int, default=40, help="speed: programs")
    parser.add_argument("--peer", type=Path, help="speed: a clone of LiveCodeBench's repository")
    parser.add_argument("--rows", type=Path, help="pairs: appends what came of each")
    arguments = parser.parse_args()
    found = run_pairs(arguments) if arguments.what == "pairs" else run_speed(arguments)
    print(json.dumps({"benchmark": "stdin_programs", "what": arguments.what, **found}))


if __name__ == "__main__":
    main()
