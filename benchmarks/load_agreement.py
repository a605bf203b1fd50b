"""Does a verdict depend on the load of the machine or on the number of workers?

    PYTHONPATH=. python benchmarks/load_agreement.py --data ../shared/data/codet_humaneval --runs 10

The whole matrix of sandbox_speed.py, hangs and heavy imports included, is judged again and again, with one worker and
with two in turn, while busy loops (--burners, one more than there are cores) compete for the cores. Verdict, mode and
fingerprint of every cell are compared with those of the strict lane, one process a cell, judged before the load. Prints
a line for each run and one JSON line; the exit code is 1 if any cell differs.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sandbox_speed import matrix

from codepref.sandbox import Job, Limits, execute

Outcome = tuple[str, str, str]


def outcomes(jobs: list[Job], limit_s: float, workers: int, lane: str) -> list[Outcome]:
    """Verdict, mode and fingerprint of every cell, in order."""
    found = execute(jobs, Limits(cpu_s=limit_s), workers=workers, lane=lane)
    return [(cell.verdict, cell.mode, cell.fingerprint) for m in found for row in m.cells for cell in row]


@contextlib.contextmanager
def load(count: int) -> Iterator[None]:
    """Busy processes on every core."""
    script = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
    burners = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(count)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/codet_humaneval"))
    parser.add_argument("--tasks", type=int, default=None, help="use only the first N tasks")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--burners", type=int, default=(os.cpu_count() or 1) + 1, help="busy loops beside the engine")
    parser.add_argument("--limit", type=float, default=1.0, metavar="S", help="CPU seconds for one test")
    args = parser.parse_args()
    if not (args.data / "solutions.jsonl.gz").exists():
        parser.error(f"{args.data}/solutions.jsonl.gz: no such file; name the folder of the CodeT samples with --data")
    jobs = matrix(args.data)[: args.tasks]
    expected = outcomes(jobs, args.limit, os.cpu_count() or 1, "strict")
    print(f"{len(jobs)} tasks, {len(expected):,} cells, strict lane: {dict(Counter(v for v, _, _ in expected))}")
    differing = []
    for run in range(args.runs):
        workers = 1 + run % 2
        with load(args.burners):
            begun = time.perf_counter()
            found = outcomes(jobs, args.limit, workers, "fast")
            seconds = time.perf_counter() - begun
        differing.append(sum(one != other for one, other in zip(found, expected, strict=True)))
        print(f"run {run + 1}: lane fast, workers {workers}, {seconds:.0f} s under load, {differing[-1]} cells differ")
    print(
        json.dumps({"benchmark": "load_agreement", "cells": len(expected), "runs": args.runs, "differing": differing})
    )
    return int(any(differing))


if __name__ == "__main__":
    sys.exit(main())
