"""Is the engine as fast as it was? Two checkouts measured in turn on the matrices of sandbox_speed.py.

    git worktree add ../before v0.1.0
    PYTHONPATH=. python benchmarks/sandbox_before_after.py ../before . --data ../shared/data/codet_humaneval --tasks 30

Every round measures each row once with each checkout, in a fresh process: CPU of it and of all its descendants, from
opening the sandbox to closing it. Machines are shared: quote the ratio, taken within a round, not the times.
`heavy` is a program that imports numpy and pandas and groups a table, after a warm-up, CPU a program.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from sandbox_speed import judge, matrix, reduced

from codepref.sandbox import Job

ROWS = {
    "clean, fast lane": ("clean", "fast", 1.0),
    "light, fast lane": ("light", "fast", 1.0),
    "light, strict lane": ("light", "strict", 1.0),
    "mixed, limit 0.1 s": ("mixed", "fast", 0.1),
    "heavy": ("heavy", "fast", 5.0),
}
HEAVY = """import numpy as np
import pandas as pd


def f(n):
    table = pd.DataFrame({"key": np.arange(100) % 7, "value": np.arange(100) + n})
    return int(table.groupby("key").value.sum().iloc[0])
"""
CHILD = """
import json, resource, sys, time
from codepref.sandbox import Job, Limits, Sandbox
request = json.load(open(sys.argv[1]))
jobs = [Job(name, tuple(codes), tuple(tests), entry) for name, codes, tests, entry in request["jobs"]]
def cpu():
    both = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(item.ru_utime + item.ru_stime for item in both)
verdicts = []
begin, start = cpu(), time.monotonic()
with Sandbox(Limits(cpu_s=request["cpu_s"], memory_mb=4096), lane=request["lane"]) as sandbox:
    for job in jobs[: request["warm"]]:
        sandbox.run(job)
    warm_s = 0.0
    for at in range(0, len(jobs), 8):
        for found in sandbox.run_many(jobs[at : at + 8]):
            verdicts += [cell.verdict for row in found.cells for cell in row]
print(json.dumps({"cpu_s": cpu() - begin, "wall_s": time.monotonic() - start, "verdicts": verdicts}))
"""


class Measured(NamedTuple):
    """One run of one row with one checkout."""

    cpu_s: float
    wall_s: float
    verdicts: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, help="checkout")
    parser.add_argument("after", type=Path, help="checkout")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/codet_humaneval"))
    parser.add_argument("--tasks", type=int, default=None, help="use only the first N tasks")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    jobs = matrix(args.data)[: args.tasks]
    reference = judge(jobs)
    sets = {name: reduced(jobs, reference, name)[0] for name in ("clean", "light", "mixed")}
    sets["heavy"] = [
        Job(f"heavy{n}", (HEAVY + f"# {n}\n",), (f"assert f({n}) == {15 * n + 735}",), "f") for n in range(24)
    ]
    print("| row | cells | CPU ms a cell before | after | ratio | verdicts that differ |")
    print("| --- | --: | --: | --: | --: | --: |")
    for row, (name, lane, cpu_s) in ROWS.items():
        print_row(row, [measured(args, sets[name], lane, cpu_s) for _ in range(args.rounds)])


def measured(args: argparse.Namespace, jobs: list[Job], lane: str, cpu_s: float) -> tuple[Measured, Measured]:
    """One round: before, then after."""
    before, after = (one(tree, jobs, lane, cpu_s) for tree in (args.before, args.after))
    return before, after


def one(tree: Path, jobs: list[Job], lane: str, cpu_s: float) -> Measured:
    """A row run by one checkout in a fresh process."""
    packed = [(job.job_id, job.codes, job.tests, job.entry_point) for job in jobs]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"jobs": packed, "lane": lane, "cpu_s": cpu_s, "warm": 0}, file)
        file.flush()
        environment = os.environ | {"PYTHONPATH": str(tree.resolve())}
        command = [sys.executable, "-c", CHILD, file.name]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=tree)
    answer = json.loads(done.stdout.splitlines()[-1])
    return Measured(answer["cpu_s"], answer["wall_s"], tuple(answer["verdicts"]))


def print_row(row: str, rounds: list[tuple[Measured, Measured]]) -> None:
    """Medians of a row as a line of a table."""
    cells = len(rounds[0][0].verdicts)
    before = statistics.median(pair[0].cpu_s for pair in rounds) / cells * 1000
    after = statistics.median(pair[1].cpu_s for pair in rounds) / cells * 1000
    ratio = statistics.median(pair[1].cpu_s / pair[0].cpu_s for pair in rounds)
    differ = sum(left != right for left, right in zip(rounds[0][0].verdicts, rounds[0][1].verdicts, strict=True))
    print(f"| {row} | {cells:,} | {before:.3f} | {after:.3f} | {ratio:.2f} | {differ} |", flush=True)


if __name__ == "__main__":
    main()
