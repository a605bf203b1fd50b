"""Grading speed beside EvalPlus' own evaluator: same samples, same cores, alternating runs, both with warm caches.

    python benchmarks/evalplus_speed.py DATA --peer PATH_OF_A_PYTHON_WITH_EVALPLUS [--rounds 3] [--jobs 2] [--only one]

DATA holds `benchmarks/`, `verdicts_evalplus/`, `codet_humaneval/`. The samples are the outputs of eight models, one a
task, then all of them, and for HumanEval+ ten samples a task of a weak model. Prints a JSON line for each: CPU seconds
of the whole command and its children, wall seconds (medians); the first run of each computes expected values, all
others find them in the cache. Verdicts are compared too: on the original inputs, and on all. Both evaluators run from
compiled files, as installations have them.

Both evaluators must make the calls of right programs, and let an endless call run for its second. What that costs is
`must_cpu_s`: the CPU seconds of all finished calls here, and one for each program that timed out; `rest_ratio` compares
what each takes beyond it.
"""

import argparse
import compileall
import gzip
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
Cost = tuple[float, float]
"""CPU seconds and wall seconds."""
CUT = re.compile(r"\n(?=class|def|#|if|print)")
"""Where CodeT cuts a sample."""
A_TASK = 10
TITLES = {"one": "one a task", "ten": f"{A_TASK} a task of a weak model", "all": "all"}
SETS = (("one", "humaneval"), ("one", "mbpp"), ("ten", "humaneval"), ("all", "mbpp"), ("all", "humaneval"))
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


def command(
    name: str, used: Path, samples: Path, out: Path, cache: Path, jobs: int
) -> tuple[list[str], dict[str, str]]:
    """The command that grades samples with this project, and its environment."""
    parts = [sys.executable, "-m", "evaluation.run", f"{name}_plus", "--data", str(used), "--samples", str(samples)]
    parts += ["--out", str(out), "--cache", str(cache), "--workers", str(jobs), "--quiet"]
    return parts, {"PYTHONPATH": str(ROOT)}


@dataclass(frozen=True)
class Outcome:
    """What a run took, whether samples pass the original inputs and all, and the CPU seconds that nobody can spare."""

    cost: Cost
    verdicts: dict[str, tuple[bool, bool]]
    must_cpu_s: float = 0.0


def ours(name: str, used: Path, samples: Path, folder: Path, jobs: int) -> Outcome:
    """Time and verdicts of this project."""
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    cost = timed(*command(name, used, samples, out, folder / "cache", jobs))
    rows = list(map(json.loads, (out / f"{name}_plus" / "verdicts.jsonl").read_text().splitlines()))
    verdicts = {
        f"{row['task_id']}#{row['sample']}": (row["base_verdict"] == "passed", row["verdict"] == "passed")
        for row in rows
    }
    must = [max(row["cpu_s"], 1.0) if row["verdict"] == "timeout" else row["cpu_s"] for row in rows]
    return Outcome(cost, verdicts, sum(must))


def theirs(peer: str, name: str, used: Path, samples: Path, folder: Path, jobs: int) -> Outcome:
    """Time and verdicts of EvalPlus."""
    result = folder / f"{name}_eval_results.json"
    result.unlink(missing_ok=True)
    variable = "HUMANEVAL_OVERRIDE_PATH" if name == "humaneval" else "MBPP_OVERRIDE_PATH"
    command = [peer, "-m", "evalplus.evaluate", "--dataset", name, "--samples", str(samples), "--parallel", str(jobs)]
    cost = timed(command, {variable: str(used), "XDG_CACHE_HOME": str(folder / "peer")})
    written = next(path for path in folder.glob(f"{name}*eval_results.json"))
    content = json.loads(written.read_text())["eval"]
    written.unlink()
    verdicts = {
        f"{task}#{place}": (sample["base_status"] == "pass", sample["base_status"] == sample["plus_status"] == "pass")
        for task, found in content.items()
        for place, sample in enumerate(found)
    }
    return Outcome(cost, verdicts)


def measure(name: str, part: str, args: argparse.Namespace, folder: Path) -> None:
    """Prints alternating runs on one set of samples; before "one", the first run of both, which fills the caches."""
    used, samples = prepare(args.data, name, folder)
    first = {json.loads(line)["task_id"]: line for line in reversed(samples.read_text().splitlines())}
    paths = {"all": samples, "one": samples.with_name(f"{name}_one.jsonl"), "ten": codet(args.data, folder)}
    paths["one"].write_text("".join(f"{line}\n" for line in first.values()))
    peers: dict[str, Callable[[Path], Outcome]] = {
        "codepref": lambda path: ours(name, used, path, folder, args.jobs),
        "evalplus": lambda path: theirs(args.peer, name, used, path, folder, args.jobs),
    }

    def rounds(count: int) -> list[dict[str, Outcome]]:
        return [{who: run(paths[part]) for who, run in peers.items()} for _ in range(count)]

    if part == "one":
        show(name, f"{TITLES[part]}, first run", rounds(1))
    show(name, TITLES[part], rounds(args.rounds if part == "one" else args.rounds_all))


def codet(data: Path, folder: Path) -> Path:
    """Writes samples of CodeGen-Mono-16B, cut as CodeT cuts them."""
    path = folder / "humaneval_codet.jsonl"
    with gzip.open(data / "codet_humaneval" / "solutions.jsonl.gz", "rt") as lines, path.open("w") as file:
        for row in map(json.loads, lines):
            for sample in row["samples"][:A_TASK]:
                text = row["prompt"] + CUT.split(sample, maxsplit=1)[0]
                file.write(json.dumps({"task_id": row["task_id"], "solution": text}) + "\n")
    return path


def show(name: str, title: str, rounds: list[dict[str, Outcome]]) -> None:
    """Prints medians of cost, the median ratio of the pairs, and verdicts of the last round that differ."""
    last = {who: found.verdicts for who, found in rounds[-1].items()}
    keys = sorted(last["codepref"])
    must = statistics.median(pair["codepref"].must_cpu_s for pair in rounds)
    row: dict[str, Any] = {"benchmark": name, "outputs": title, "samples": len(keys), "rounds": len(rounds)}
    for part, what in enumerate(("cpu", "wall")):
        spent = {who: statistics.median(pair[who].cost[part] for pair in rounds) for who in rounds[0]}
        ratios = [pair["evalplus"].cost[part] / pair["codepref"].cost[part] for pair in rounds]
        row[f"{what}_s"] = {who: round(value, 1) for who, value in spent.items()}
        row[f"{what}_ratio"] = round(statistics.median(ratios), 2)
    row["must_cpu_s"] = round(must, 1)
    row["rest_ratio"] = round((row["cpu_s"]["evalplus"] - must) / (row["cpu_s"]["codepref"] - must), 2)
    row["different"] = {}
    for key in keys:
        both = {who: found.get(key) for who, found in last.items()}
        if both["codepref"] != both["evalplus"]:
            row["different"][key] = both
    print(json.dumps(row), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--peer", required=True)
    parser.add_argument("--rounds", type=int, default=3, help="with one output a task (%(default)s)")
    parser.add_argument("--rounds-all", type=int, default=1, help="with the larger sets (%(default)s)")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", choices=TITLES, help="one of the sets: %(choices)s")
    args = parser.parse_args()
    for folder in ("codepref", "evaluation"):
        compileall.compile_dir(ROOT / folder, quiet=1)
    with tempfile.TemporaryDirectory() as folder:
        for part, name in SETS:
            if args.only in (None, part):
                measure(name, part, args, Path(folder))


if __name__ == "__main__":
    main()
