"""Grading speed beside EvalPlus' own evaluator: same samples, same cores, alternating runs, both with warm caches.

    python benchmarks/evalplus_speed.py DATA --peer PATH_OF_A_PYTHON_WITH_EVALPLUS [--rounds 3] [--jobs 2]

DATA holds `benchmarks/` and `verdicts_evalplus/`. The samples are one output a task of one model. Prints a table (CPU
seconds of the whole command and its children, wall seconds, medians) and one JSON line a benchmark; verdicts are
compared too.
"""

import argparse
import gzip
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FILES = {"humaneval": "HumanEvalPlus-v0.1.10.jsonl.gz", "mbpp": "MbppPlus-v0.2.0.jsonl.gz"}
RUNS = {"humaneval": "simple_humaneval_py", "mbpp": "simple_mbpp_py"}
IMPORTS = (
    "import math, re, sys, copy, datetime, itertools, collections, heapq, functools, string\nfrom typing import *\n"
)


def prepare(data: Path, name: str, folder: Path) -> tuple[Path, Path]:
    """Writes the problems and samples of one benchmark that both evaluators can read."""
    with gzip.open(data / "benchmarks" / FILES[name], "rt") as lines:
        problems = {row["task_id"]: row for row in map(json.loads, lines)}
    with gzip.open(data / "verdicts_evalplus" / "model_outputs.jsonl.gz", "rt") as lines:
        outputs = [row for row in map(json.loads, lines) if row["run"] == RUNS[name] and row["plus_passed"] is not None]
    found = {}
    for row in outputs:
        task = row["task_id"] if name == "humaneval" else f"Mbpp/{str(row['task_id']).removeprefix('Mbpp/')}"
        head = IMPORTS + (problems[task]["prompt"] + "\n" if name == "humaneval" else "")
        found[task] = head + row["code"]
    used, samples = folder / f"{name}.data.jsonl", folder / f"{name}.jsonl"
    used.write_text("".join(json.dumps(problems[task]) + "\n" for task in found))
    samples.write_text("".join(json.dumps({"task_id": t, "solution": code}) + "\n" for t, code in found.items()))
    return used, samples


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """CPU and wall seconds of a command and all it started."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, env={**os.environ, **environment}, check=True, capture_output=True, cwd=ROOT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.monotonic() - began


def ours(name: str, used: Path, samples: Path, folder: Path, jobs: int) -> tuple[tuple[float, float], dict[str, Any]]:
    """Time and verdicts of this project."""
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "evaluation.run", f"{name}_plus", "--data", str(used), "--samples", str(samples)]
    command += ["--out", str(out), "--cache", str(folder / "cache"), "--workers", str(jobs), "--quiet"]
    cost = timed(command, {"PYTHONPATH": str(ROOT)})
    rows = map(json.loads, (out / f"{name}_plus" / "verdicts.jsonl").read_text().splitlines())
    return cost, {row["task_id"]: (row["base_verdict"] == "passed", row["plus_verdict"] == "passed") for row in rows}


def theirs(
    peer: str, name: str, used: Path, samples: Path, folder: Path, jobs: int
) -> tuple[tuple[float, float], dict[str, Any]]:
    """Time and verdicts of EvalPlus."""
    result = folder / f"{name}_eval_results.json"
    result.unlink(missing_ok=True)
    variable = "HUMANEVAL_OVERRIDE_PATH" if name == "humaneval" else "MBPP_OVERRIDE_PATH"
    command = [peer, "-m", "evalplus.evaluate", "--dataset", name, "--samples", str(samples), "--parallel", str(jobs)]
    cost = timed(command, {variable: str(used), "XDG_CACHE_HOME": str(folder / "peer")})
    found = next(path for path in folder.glob(f"{name}*eval_results.json"))
    content = json.loads(found.read_text())["eval"]
    found.unlink()
    return cost, {t: (r[0]["base_status"] == "pass", r[0]["plus_status"] == "pass") for t, r in content.items()}


def measure(name: str, args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Alternating rounds after one that warms both caches."""
    used, samples = prepare(args.data, name, folder)
    runs: dict[str, Callable[[], tuple[tuple[float, float], dict[str, Any]]]] = {
        "codepref": lambda: ours(name, used, samples, folder, args.jobs),
        "evalplus": lambda: theirs(args.peer, name, used, samples, folder, args.jobs),
    }
    verdicts = {who: run()[1] for who, run in runs.items()}
    costs: dict[str, list[tuple[float, float]]] = {who: [] for who in runs}
    for _ in range(args.rounds):
        for who, run in runs.items():
            costs[who].append(run()[0])
    median = {who: [statistics.median(part) for part in zip(*values, strict=True)] for who, values in costs.items()}
    ratios = [b[0] / a[0] for a, b in zip(costs["codepref"], costs["evalplus"], strict=True)]
    different = sorted(t for t in verdicts["codepref"] if verdicts["codepref"][t] != verdicts["evalplus"][t])
    return {
        "benchmark": name, "samples": len(verdicts["codepref"]), "rounds": args.rounds, "jobs": args.jobs,
        "cpu_s": {who: round(values[0], 1) for who, values in median.items()},
        "wall_s": {who: round(values[1], 1) for who, values in median.items()},
        "cpu_ratio": round(statistics.median(ratios), 2),
        "wall_ratio": round(median["evalplus"][1] / median["codepref"][1], 2),
        "different": {t: {who: verdicts[who][t] for who in verdicts} for t in different},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--peer", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = [measure(name, args, Path(folder)) for name in FILES]
    print(
        "| benchmark | samples | CPU s codepref | CPU s EvalPlus | ratio | wall ratio |\n"
        "| --- | --- | --- | --- | --- | --- |"
    )
    for row in found:
        cpu = row["cpu_s"]
        cells = [
            row["benchmark"],
            row["samples"],
            cpu["codepref"],
            cpu["evalplus"],
            row["cpu_ratio"],
            row["wall_ratio"],
        ]
        print("| " + " | ".join(map(str, cells)) + " |")
    for row in found:
        print(json.dumps(row))


if __name__ == "__main__":
    main()
