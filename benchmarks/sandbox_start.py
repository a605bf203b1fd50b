"""How long does the sandbox take to start, and what does a program cost that needs numpy and pandas?

    PYTHONPATH=. python benchmarks/sandbox_start.py --rounds 9

Start: wall and CPU seconds from nothing to a sandbox that answers. Heavy: CPU milliseconds a cell of programs that
import numpy and pandas and use them, each in a process of its own, in a sandbox that has run one before; beside it a
fresh interpreter that does the same, without protection. Needs numpy and pandas in the interpreter it is run with.
Prints the medians and one JSON line.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

from codepref.sandbox import Job, Limits, Sandbox

CODE = """import numpy as np
import pandas as pd

def f(n):
    frame = pd.DataFrame({"key": np.arange(n) % 3, "value": np.arange(n)})
    return int(frame.groupby("key")["value"].sum().max())
"""
TEST = "assert f(30) == 155"
COUNT = 20


def cpu_seconds() -> float:
    """CPU seconds of this process and of all descendants that were waited for."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in usage)


def start() -> tuple[float, float]:
    """Wall and CPU seconds of opening a sandbox; CPU with closing it, as only then its processes are counted."""
    wall, cpu = time.perf_counter(), cpu_seconds()
    with Sandbox():
        wall = time.perf_counter() - wall
    return wall, cpu_seconds() - cpu


def heavy(count: int) -> tuple[float, float]:
    """CPU seconds of a sandbox that runs one heavy program, and as many more in the same job."""
    codes = tuple(f"{CODE}# {i}\n" for i in range(count))
    jobs = [Job("warm", (CODE,), (TEST,), "f"), Job("heavy", codes, (TEST,), "f")]
    spent = []
    for part in (jobs[:1], jobs):
        before = cpu_seconds()
        with Sandbox(Limits(cpu_s=5.0)) as sandbox:
            verdicts = [cell.verdict for job in part for row in sandbox.run(job).cells for cell in row]
        spent.append(cpu_seconds() - before)
        if set(verdicts) != {"passed"}:
            raise SystemExit(f"a heavy program did not pass ({set(verdicts)}): are numpy and pandas installed?")
    return spent[0], spent[1]


def fresh() -> float:
    """CPU seconds of a fresh interpreter on the same program."""
    before = cpu_seconds()
    subprocess.run([sys.executable, "-I", "-c", f"{CODE}\n{TEST}"], check=True)
    return cpu_seconds() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    rows = []
    for _ in range(args.rounds):
        wall, cpu = start()
        one, many = heavy(COUNT)
        rows.append((wall, cpu, one, 1000 * (many - one) / COUNT, 1000 * fresh()))
    medians = [round(statistics.median(column), 3) for column in zip(*rows, strict=True)]
    names = ("start_s", "start_cpu_s", "warm_up_cpu_s", "heavy_cpu_ms", "fresh_cpu_ms")
    for name, figure in zip(names, medians, strict=True):
        print(f"{name:14} {figure}")
    print(json.dumps({"benchmark": "sandbox_start", "rounds": args.rounds, **dict(zip(names, medians, strict=True))}))


if __name__ == "__main__":
    main()
