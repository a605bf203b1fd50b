"""How fast is the execution engine, beside other graders, on the same real matrix?

    python -m venv /tmp/peers && /tmp/peers/bin/pip install -r benchmarks/sandbox_speed_requirements.txt
    PYTHONPATH=. /tmp/peers/bin/python benchmarks/sandbox_speed.py --data ../shared/data/codet_humaneval

The matrix: for each task the first 15 distinct solutions and the first 15 distinct single asserts of the CodeT samples
(Chen et al. 2022). `mixed` is all of it, with hangs, heavy imports and code that does not compile; `clean` keeps the
solutions that finish every test and import nothing outside the standard library; `light` keeps of those the ones that
use less than half a millisecond of CPU on every test, so that what is measured is the engines and not the solutions.

Every round measures every method once, each in a fresh process. CPU is that of the process and of all its descendants
that were waited for, from opening the engine or pool to closing it; in a run of ten times the matrix the start weighs
as little as in a real one. Slow methods get a seeded sample of cells with the
same shares of verdicts (whole rows, where a method takes a code and all its tests). `in-process exec` runs the
solutions without protection and the peers with little: use a machine that you can lose. Prints a table of medians and
one JSON line.
"""

import argparse
import ast
import contextlib
import gzip
import importlib.metadata
import importlib.util
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

from sandbox_peers import (
    LIMIT_S,
    Cell,
    Verdicts,
    code_eval_design,
    evalplus_code,
    evalplus_pair,
    in_process,
    plain_subprocess,
)

from codepref.sandbox import Job, Limits, execute

STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
SIZE = 15
LIGHT_S = 0.0005


# ---- the matrix


def rows(path: Path) -> Iterator[dict]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def cut(text: str) -> str:
    """A completion up to where the function is over, by the rule of the samples' authors."""
    return text[: min((text.find(stop) for stop in STOPS if stop in text), default=len(text))]


def asserts(sample: str, entry_point: str) -> Iterator[str]:
    for part in ("assert " + sample).split("assert "):
        test = cut("assert " + part.strip()).strip()
        with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            body = ast.parse(test).body
            if entry_point in part and len(body) == 1 and isinstance(body[0], ast.Assert):
                yield test


def matrix(folder: Path) -> list[Job]:
    """One job per task, of up to 15 codes and 15 tests."""
    jobs = []
    for codes, tests in zip(
        rows(folder / "solutions.jsonl.gz"), rows(folder / "generated_tests.jsonl.gz"), strict=True
    ):
        name = codes["entry_point"]
        programs = dict.fromkeys(codes["prompt"] + cut(sample) for sample in codes["samples"] if sample.strip())
        checks = dict.fromkeys(test for sample in tests["samples"] for test in asserts(sample, name))
        if programs and checks:
            jobs.append(Job(codes["task_id"], tuple(programs)[:SIZE], tuple(checks)[:SIZE], name))
    return jobs


def only_standard_library(code: str) -> bool:
    """Whether the code compiles and imports nothing from outside the standard library."""
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return all(name.partition(".")[0] in sys.stdlib_module_names for name in names)


def judge(jobs: list[Job]) -> dict[Cell, str]:
    """Reference verdicts: the strict lane, one process a cell."""
    found = execute(jobs, Limits(cpu_s=LIMIT_S), workers=os.cpu_count() or 1, lane="strict")
    return {
        Cell(i, j, k): cell.verdict
        for i, result in enumerate(found)
        for j, row in enumerate(result.cells)
        for k, cell in enumerate(row)
    }


def reduced(jobs: list[Job], reference: dict[Cell, str], name: str) -> tuple[list[Job], dict[Cell, str]]:
    """The jobs of one of the matrices, and the reference for their cells."""
    ended, kept, verdicts = {"passed", "failed"}, [], {}
    costs = list(execute(jobs, Limits(cpu_s=LIMIT_S), workers=os.cpu_count() or 1)) if name == "light" else None
    for i, job in enumerate(jobs):
        good = [j for j, code in enumerate(job.codes) if name == "mixed" or only_standard_library(code)]
        if name != "mixed":
            good = [j for j in good if all(reference[Cell(i, j, k)] in ended for k in range(len(job.tests)))]
        if costs:
            good = [j for j in good if all(cell.cpu_s < LIGHT_S for cell in costs[i].cells[j])]
        if good:
            new, tests = len(kept), range(len(job.tests))
            verdicts |= {Cell(new, at, k): reference[Cell(i, j, k)] for at, j in enumerate(good) for k in tests}
            kept.append(Job(job.job_id, tuple(job.codes[j] for j in good), job.tests, job.entry_point))
    return kept, verdicts


def stratified(reference: dict[Cell, str], size: int, seed: int) -> list[Cell]:
    """About `size` cells with the same shares of verdicts as all of `reference`, neighbours together."""
    cells = sorted(reference)
    random.Random(seed).shuffle(cells)
    cells.sort(key=reference.__getitem__)
    return sorted(cells[:: max(1, len(cells) // size)])


# ---- the methods


def engine(lane: str, limit_s: float = LIMIT_S, times: int = 1) -> Callable[[list[Job], list[Cell], int], Verdicts]:
    def run(jobs: list[Job], cells: list[Cell], workers: int) -> Verdicts:
        for n, result in enumerate(execute(jobs * times, Limits(cpu_s=limit_s), workers=workers, lane=lane)):
            i = n % len(jobs)
            for j, k in product(range(len(jobs[i].codes)), range(len(jobs[i].tests))):
                yield Cell(i, j, k), result.cells[j][k].verdict == "passed"

    return run


class Method(NamedTuple):
    """A way to judge cells. `cells`: size of its sample in a round, 0 for the whole matrix; `needs`: its package."""

    title: str
    run: Callable[[list[Job], list[Cell], int], Verdicts]
    cells: int = 0
    needs: str = ""


METHODS = {
    "fast": Method("codepref, lane fast", engine("fast")),
    "fast_long": Method("codepref, lane fast, the matrix 10 times in one run", engine("fast", times=10)),
    "fast_short": Method("codepref, lane fast, limit 0.1 s", engine("fast", 0.1)),
    "code": Method("codepref, lane code (process per code)", engine("code")),
    "strict": Method("codepref, lane strict (process per cell)", engine("strict")),
    "exec": Method("in-process exec, unsandboxed (the limit)", in_process),
    "subprocess": Method("plain subprocess, per cell", plain_subprocess, 600),
    "code_eval": Method("code_eval's design (written anew), per cell", code_eval_design, 300),
    "evalplus_pair": Method("EvalPlus untrusted_check, per cell", evalplus_pair, 600, "evalplus"),
    "evalplus_code": Method("EvalPlus untrusted_check, per code", evalplus_code, 200, "evalplus"),
}


# ---- measuring


def measure(name: str, request: dict) -> dict:
    """Run one method once in this process; returns wall and CPU seconds, inclusive of opening and closing."""
    if name == "code_eval" and importlib.util.find_spec("evaluate"):
        import evaluate  # noqa: F401  # its users fork from a parent that has it loaded
    if METHODS[name].needs:
        importlib.import_module(METHODS[name].needs + ".eval")
    jobs = [Job(i, tuple(codes), tuple(tests), entry) for i, codes, tests, entry in request["jobs"]]
    cells = [Cell(*cell) for cell in request["cells"]]
    begun, cpu = time.perf_counter(), cpu_seconds()
    verdicts = list(METHODS[name].run(jobs, cells, request["workers"]))
    return {"wall": time.perf_counter() - begun, "cpu": cpu_seconds() - cpu, "verdicts": verdicts}


def cpu_seconds() -> float:
    """CPU seconds of this process and of all descendants that were waited for."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in usage)


def measured_apart(name: str, jobs: list[Job], cells: list[Cell], workers: int) -> dict | None:
    """`measure` in a fresh process of its own session and folder; None when it broke down."""
    request = {"jobs": [(j.job_id, j.codes, j.tests, j.entry_point) for j in jobs], "cells": cells, "workers": workers}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "request.json").write_text(json.dumps(request))
        command = [sys.executable, str(Path(__file__).resolve()), "--measure", name]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(str(Path(path).resolve()) for path in sys.path if path)}
        with (Path(folder) / "log").open("w+") as log:
            done = subprocess.run(
                command,
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,
                start_new_session=True,
            )
            answer = Path(folder) / "answer.json"
            if done.returncode == 0 and answer.exists():
                return json.loads(answer.read_text())
            log.seek(0)
            print(f"{name} broke down (status {done.returncode}): {log.read()[-500:]}", file=sys.stderr)
    return None


def table(figures: dict[str, list[dict]], base: str) -> list[dict]:
    """Medians over the rounds; ratios are taken within each round, then their median, least and greatest."""
    lines = []
    for name, rounds in figures.items():
        pairs = [(one, other) for one, other in zip(rounds, figures[base], strict=True) if one and other]
        if not pairs:
            continue
        ratios = [one["ms"] / other["ms"] for one, other in pairs]
        lines.append(
            {
                "method": METHODS[name].title,
                "cells": pairs[0][0]["cells"],
                "cells_per_s": round(statistics.median(one["rate"] for one, _ in pairs), 1),
                "cpu_ms": round(statistics.median(one["ms"] for one, _ in pairs), 5),
                "ratio": round(statistics.median(ratios), 2),
                "ratio_range": [round(min(ratios), 2), round(max(ratios), 2)],
                "differing": max(one["differing"] for one, _ in pairs),
            }
        )
    return lines


def print_table(lines: list[dict], base: str) -> None:
    print(f"\n| method | cells | cells/s | CPU ms a cell | CPU to {base} [range] | verdicts that differ from strict |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for line in lines:
        low, high = line["ratio_range"]
        print(
            f"| {line['method']} | {line['cells']:,} | {line['cells_per_s']:,} | {line['cpu_ms']:.4f} "
            f"| {line['ratio']:,} [{low:,}-{high:,}] | {line['differing']} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data/codet_humaneval"), help="folder of the samples"
    )
    parser.add_argument("--matrix", choices=["mixed", "clean", "light"], default="mixed")
    parser.add_argument("--tasks", type=int, default=None, help="use only the first N tasks")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes at a time, for every method")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seed", type=int, default=0, help="of the sample of cells for slow methods")
    parser.add_argument("--measure", choices=METHODS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        answer = measure(args.measure, json.loads(Path("request.json").read_text()))
        Path("answer.json").write_text(json.dumps(answer))
        return
    if not (args.data / "solutions.jsonl.gz").exists():
        parser.error(f"{args.data}/solutions.jsonl.gz: no such file; name the folder of the CodeT samples with --data")
    absent = sorted({METHODS[name].needs for name in args.methods if METHODS[name].needs} - installed("evalplus"))
    names = [name for name in args.methods if METHODS[name].needs not in absent]
    jobs = matrix(args.data)[: args.tasks]
    jobs, reference = reduced(jobs, judge(jobs), args.matrix)
    print(f"{args.matrix} matrix: {len(jobs)} tasks, {len(reference):,} cells, {dict(Counter(reference.values()))}")
    print(f"Python {sys.version.split()[0]}, {args.workers} workers, {args.rounds} rounds, limit {LIMIT_S} s a test")
    notes(absent)
    figures: dict[str, list[dict]] = {name: [] for name in names}
    for number, name in product(range(args.rounds), names):
        figures[name].append(figure(name, jobs, reference, args))
        print(f"round {number + 1} {name}: {figures[name][-1]}", file=sys.stderr)
    base = "fast" if "fast" in names else names[0]
    lines = table(figures, base)
    print_table(lines, base)
    print(json.dumps({"benchmark": "sandbox_speed", "matrix": args.matrix, "cells": len(reference), "rows": lines}))


def figure(name: str, jobs: list[Job], reference: dict[Cell, str], args: argparse.Namespace) -> dict | None:
    """One measurement, reduced to rate, CPU milliseconds a cell and verdicts that differ from the reference."""
    ended = {cell: verdict for cell, verdict in reference.items() if verdict in ("passed", "failed")}
    pool = ended if name == "exec" else reference
    cells = stratified(pool, METHODS[name].cells or len(pool), args.seed)
    answer = measured_apart(name, jobs, cells, args.workers)
    if answer is None:
        return None
    count = len(answer["verdicts"])
    differing = sum((reference[Cell(*cell)] == "passed") != passed for cell, passed in answer["verdicts"])
    rate, ms = count / answer["wall"], answer["cpu"] / count * 1000
    return {"cells": count, "rate": round(rate, 2), "ms": round(ms, 6), "differing": differing}


def installed(*names: str) -> set[str]:
    return {name for name in names if importlib.util.find_spec(name)}


def notes(absent: list[str]) -> None:
    """Say what is measured and what is missing."""
    for name in absent:
        print(f"absent: {name} (pip install -r benchmarks/sandbox_speed_requirements.txt); its rows are left out")
    if installed("evaluate"):
        print(
            f"code_eval: the design, forked from a parent with evaluate {importlib.metadata.version('evaluate')} loaded"
        )
    else:
        print("absent: evaluate; code_eval's design is forked from a small parent, which flatters it")
    print("in-process exec: one process, without the cells that do not end by themselves")


if __name__ == "__main__":
    main()
