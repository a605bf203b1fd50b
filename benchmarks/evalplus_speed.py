"""Grading speed beside EvalPlus' own evaluator: same samples, same cores, alternating runs, both with warm caches.

    python benchmarks/evalplus_speed.py DATA --peer PATH_OF_A_PYTHON_WITH_EVALPLUS [--rounds 3] [--jobs 2]

DATA holds `benchmarks/` and `verdicts_evalplus/`. The samples are the outputs of eight models: one a task, then all of
them. Prints a JSON line for each: CPU seconds of the whole command and its children, wall seconds (medians);
the first run of each computes expected values, all others find them in the cache. Verdicts are compared too.
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
Cost = tuple[float, float]
"""CPU seconds and wall seconds."""
Run = Callable[[Path], tuple[Cost, dict[str, Any]]]
FILES = {"humaneval": "HumanEvalPlus-v0.1.10.jsonl.gz", "mbpp": "MbppPlus-v0.2.0.jsonl.gz"}
IMPORTS = (
    "import math, re, sys, copy, datetime, itertools, collections, heapq, functools, string\nfrom typing import *\n"
)


def prepare(data: Path, name: str, folder: Path) -> tuple[Path, Path]:
    """Writes the problems and samples of one benchmark that both evaluators can read."""
    with gzip.open(data / "benchmarks" / FILES[name], "rt") as lines:
        problems = {row["task_id"]: row for row in map(json.loads, lines)}
    with gzip.open(data / "verdicts_evalplus" / "model_outputs.jsonl.gz", "rt") as lines:
        outputs = [row for row in map(json.loads, lines) if row["benchmark"] == name and row["plus_passed"] is not None]
    found = []
    for row in outputs:
        task = row["task_id"] if name == "humaneval" else f"Mbpp/{str(row['task_id']).removeprefix('Mbpp/')}"
        head = IMPORTS + (problems[task]["prompt"] + "\n" if name == "humaneval" else "")
        found.append({"task_id": task, "solution": head + row["code"]})
    used, samples = folder / f"{name}.data.jsonl", folder / f"{name}.jsonl"
    tasks = dict.fromkeys(row["task_id"] for row in found)
    used.write_text("".join(json.dumps(problems[task]) + "\n" for task in tasks))
    samples.write_text("".join(json.dumps(row) + "\n" for row in found))
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
    return cost, {
        f"{row['task_id']}#{row['sample']}": (row["base_verdict"] == "passed", row["plus_verdict"] == "passed")
        for row in rows
    }


def theirs(
    peer: str, name: str, used: Path, samples: Path, folder: Path, jobs: int
) -> tuple[tuple[float, float], dict[str, Any]]:
    """Time and verdicts of EvalPlus."""
    result = folder / f"{name}_eval_results.json"
    result.unlink(missing_ok=True)
    variable = "HUMANEVAL_OVERRIDE_PATH" if name == "humaneval" else "MBPP_OVERRIDE_PATH"
    command = [peer, "-m", "evalplus.evaluate", "--dataset", name, "--samples", str(samples), "--parallel", str(jobs)]
    cost = timed(command, {variable: str(used), "XDG_CACHE_HOME": str(folder / "peer")})
    written = next(path for path in folder.glob(f"{name}*eval_results.json"))
    content = json.loads(written.read_text())["eval"]
    written.unlink()
    return cost, {
        f"{task}#{place}": (sample["base_status"] == "pass", sample["plus_status"] == "pass")
        for task, found in content.items()
        for place, sample in enumerate(found)
    }


def measure(name: str, args: argparse.Namespace, folder: Path) -> None:
    """Prints the first run of both, then alternating runs: one output a task, then all outputs."""
    used, samples = prepare(args.data, name, folder)
    one = samples.with_name(f"{name}_one.jsonl")
    first = {json.loads(line)["task_id"]: line for line in reversed(samples.read_text().splitlines())}
    one.write_text("".join(f"{line}\n" for line in first.values()))
    runs: dict[str, Run] = {
        "codepref": lambda path: ours(name, used, path, folder, args.jobs),
        "evalplus": lambda path: theirs(args.peer, name, used, path, folder, args.jobs),
    }
    show(name, "one a task, first run", [{who: run(one) for who, run in runs.items()}])
    show(name, "one a task", [{who: run(one) for who, run in runs.items()} for _ in range(args.rounds)])
    show(name, "all", [{who: run(samples) for who, run in runs.items()} for _ in range(args.rounds_all)])


def show(name: str, title: str, rounds: list[dict[str, tuple[Cost, dict[str, Any]]]]) -> None:
    """Prints medians of cost, the median ratio of the pairs, and verdicts of the last round that differ."""
    cpu, wall = (
        {who: statistics.median(pair[who][0][part] for pair in rounds) for who in rounds[0]} for part in (0, 1)
    )
    ratios = [[pair["evalplus"][0][part] / pair["codepref"][0][part] for pair in rounds] for part in (0, 1)]
    verdicts = {who: found for who, (_, found) in rounds[-1].items()}
    keys = sorted(verdicts["codepref"])
    row = {
        "benchmark": name, "outputs": title, "samples": len(keys), "rounds": len(rounds),
        "cpu_s": {who: round(value, 1) for who, value in cpu.items()},
        "wall_s": {who: round(value, 1) for who, value in wall.items()},
        "cpu_ratio": round(statistics.median(ratios[0]), 2), "wall_ratio": round(statistics.median(ratios[1]), 2),
        "different": {
            key: {who: verdicts[who].get(key) for who in verdicts}
            for key in keys
            if verdicts["codepref"][key] != verdicts["evalplus"].get(key)
        },
    }  # fmt: skip
    print(json.dumps(row), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--peer", required=True)
    parser.add_argument("--rounds", type=int, default=3, help="with one output a task (%(default)s)")
    parser.add_argument("--rounds-all", type=int, default=1, help="with all outputs (%(default)s)")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in FILES:
            measure(name, args, Path(folder))


if __name__ == "__main__":
    main()
