"""Do efficiency pairs point the right way, and do they do so again on a busy machine?

    PYTHONPATH=. python benchmarks/efficiency_quality.py --data DATA --markdown benchmarks/results/efficiency.md

Three kinds of codes that do the same with different cost:

evalperf    two solutions of one HumanEval+ or MBPP+ task, from the fastest and the slowest tier that EvalPerf measured.
            Ten of the benchmark's inputs are timed, the truth is measured on up to sixty.
pie         slow and fast program of one author for one CodeNet problem. They read stdin and come without inputs, so
            each becomes a function of the text it reads, and inputs of the common shapes (a number, a list, edges, a
            grid, ...) are generated; a pair is usable if both programs return the same on at least three inputs of one
            shape. Programs with numpy, scipy or numba are left out.
quickstart  the candidates of the project's own prompts, on their trusted tests.

The truth is a long measurement by other means: one plain process, no sandbox, 25 alternating rounds of 10 ms and more,
lowest CPU time. Cases that differ by 2x or more count. The pairs are then made twice, first without and then with one
busy loop for each core. The truth runs programs without protection: use a machine that you can lose.
"""

import argparse
import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from builders.codedpo import method as codedpo
from builders.codedpo.efficiency import Efficiency, Entrants, Measurement, Result, entrants, measure_prompt
from builders.codedpo.larger_inputs import Call
from codepref.config import load
from codepref.records import Candidate, Candidates, Outcomes, Scores, from_table
from codepref.sandbox import Job, Limits, Sandbox
from codepref.stages import locked_runner
from codepref.store import Stage

SEED, TIMED, TRUTH_CALLS, CLEARLY = 0, 10, 60, 2.0
ROOT = Path(__file__).resolve().parent.parent

TRUTH = """
import gc, io, json, os, sys, time, types
spec = json.load(sys.stdin)
out, sys.stdout = sys.stdout, io.StringIO()
sys.modules["solution"] = types.ModuleType("solution")
modules = [compile(code, "<code>", "exec") for code in spec["codes"]]
calls = [compile(call, "<call>", "eval") for call in spec["calls"]]
def seconds(module, runs):
    gc.collect()
    start = time.process_time()
    for _ in range(runs):
        names = {"__name__": "solution"}
        exec(module, names)
        for call in calls:
            eval(call, names)
    return (time.process_time() - start) / runs
runs = []
for module in modules:
    count = 1
    while (spent := seconds(module, count) * count) < 0.01:
        count = int(count * max(2, min(20, 0.012 / max(spent, 1e-6))))
    runs.append(count)
costs = [min(column) for column in zip(*[[seconds(*pair) for pair in zip(modules, runs)] for _ in range(25)])]
json.dump(costs, out)
"""

PROGRAM = """import io as _io
import sys as _sys

_program = compile({source!r}, "<program>", "exec")


def solve(text):
    kept = _sys.stdin, _sys.stdout
    _sys.stdin, _sys.stdout = _io.TextIOWrapper(_io.BytesIO(text.encode())), _io.StringIO()
    try:
        exec(_program, {{"__name__": "__main__"}})
        return _sys.stdout.getvalue()
    except SystemExit:
        return _sys.stdout.getvalue()
    finally:
        _sys.stdin, _sys.stdout = kept
"""


@dataclass(frozen=True)
class Case:
    """Codes that do the same, the calls to time them on, and those that decide what is true."""

    source: str
    name: str
    codes: tuple[str, ...]
    calls: tuple[Call, ...]
    truth_calls: tuple[Call, ...]


def lines(path: Path) -> list[dict]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def agreed(sandbox: Sandbox, codes: tuple[str, ...], calls: list[Call]) -> list[Call]:
    """The calls on which all codes return equal values."""
    tests = tuple(f"assert {call} == {call}" for call in calls)
    columns = zip(*sandbox.run(Job("agree", codes, tests)).cells, strict=True)
    alike = [{(cell.verdict, cell.fingerprint) for cell in column} for column in columns]
    return [call for call, seen in zip(calls, alike, strict=True) if len(seen) == 1 and min(seen)[0] == "passed"]


# ---- where the cases come from


def evalperf(data: Path, sandbox: Sandbox, limit: int) -> tuple[list[Case], str]:
    problems = {row["task_id"]: row for row in lines(data / "benchmarks/HumanEvalPlus-v0.1.10.jsonl.gz")}
    problems |= {row["task_id"]: row for row in lines(data / "benchmarks/MbppPlus-v0.2.0.jsonl.gz")}
    tiers: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in lines(data / "efficiency/evalperf_tiers.jsonl.gz"):
        tiers[row["task_id"]][row["tier"]].append(row["solution"])
    generator, cases = random.Random(SEED), []
    for task, by_tier in sorted(tiers.items()):
        if len(by_tier) < 2 or task not in problems:
            continue
        codes = tuple(generator.choice(by_tier[tier]) for tier in (min(by_tier), max(by_tier)))
        problem = problems[task]
        inputs = [args for args in problem["base_input"] + problem["plus_input"] if len(repr(args)) < 3000]
        picked = generator.sample(inputs, min(len(inputs), TRUTH_CALLS))
        calls = tuple(agreed(sandbox, codes, [Call(problem["entry_point"], tuple(args), ()) for args in picked]))
        if len(calls) >= 3:
            cases.append(Case("evalperf", task, codes, calls[:TIMED], calls))
    chosen = sorted(generator.sample(cases, min(limit, len(cases))), key=lambda case: case.name)
    return chosen, f"evalperf: {len(cases)} of {len(tiers)} tasks usable, {len(chosen)} taken"


def numbers(generator: random.Random, count: int) -> str:
    return " ".join(str(generator.randint(1, 1000)) for _ in range(count))


SHAPES: dict[str, Callable[[random.Random, int], str]] = {
    "n": lambda g, n: f"{n * 37}\n",
    "a b": lambda g, n: f"{n} {n * 11}\n",
    "a b c": lambda g, n: f"{n} {n * 3} {n * 7}\n",
    "text": lambda g, n: "".join(g.choices("abcdefgh", k=n)) + "\n",
    "two texts": lambda g, n: "".join(g.choices("abc", k=n)) + "\n" + "".join(g.choices("abc", k=n)) + "\n",
    "n, list": lambda g, n: f"{n}\n{numbers(g, n)}\n",
    "n k, list": lambda g, n: f"{n} {n // 2}\n{numbers(g, n)}\n",
    "n, two lists": lambda g, n: f"{n}\n{numbers(g, n)}\n{numbers(g, n)}\n",
    "n, column": lambda g, n: f"{n}\n" + "".join(f"{numbers(g, 1)}\n" for _ in range(n)),
    "n, pairs": lambda g, n: f"{n}\n" + "".join(f"{numbers(g, 2)}\n" for _ in range(n)),
    "n k, pairs": lambda g, n: f"{n} {n * 5}\n" + "".join(f"{numbers(g, 2)}\n" for _ in range(n)),
    "n, triples": lambda g, n: f"{n}\n" + "".join(f"{numbers(g, 3)}\n" for _ in range(n)),
    "n m, edges": lambda g, n: f"{n} {n - 1}\n" + "".join(f"{i} {g.randint(1, i - 1)}\n" for i in range(2, n + 1)),
    "h w, grid": lambda g, n: f"{n} {n}\n" + "".join("".join(g.choices("..#", k=n)) + "\n" for _ in range(n)),
}
SIZES = (5, 9, 30, 60, 120, 500)


def pie(data: Path, sandbox: Sandbox, limit: int) -> tuple[list[Case], str]:
    rows = lines(data / "efficiency/pie_python_pairs.jsonl.gz")
    plain = [r for r in rows if not any(word in r["slow"] + r["fast"] for word in ("numpy", "scipy", "numba"))]
    generator = random.Random(SEED)
    generator.shuffle(plain)
    cases, tried = [], 0
    for row in plain:
        if len(cases) == limit:
            break
        tried += 1
        codes = tuple(PROGRAM.format(source=row[key]) for key in ("slow", "fast"))
        best: list[Call] = []
        for shape in SHAPES.values():
            texts = [shape(random.Random(f"{SEED} {size}"), size) for size in SIZES]
            calls = agreed(sandbox, codes, [Call("solve", (text,), ()) for text in texts])
            best = max(best, calls, key=len)
        if len(best) >= 3:
            name = f"{row['problem_id']} {row['submission_id_slow']} {row['submission_id_fast']}"
            cases.append(Case("pie", name, codes, tuple(best), tuple(best)))
    numeric = len(rows) - len(plain)
    return cases, f"pie: {numeric} of {len(rows)} pairs need numpy; of the others {len(cases)} of {tried} tried usable"


def stage_rows(folder: Path, name: str, record: type) -> list:
    """All rows of a run's stage."""
    stage = Stage(next(folder.glob(f"stages/{name}-*")), name, "")
    shards = (stage.read(index) for index in range(len(stage.shards())))
    return [row for shard in shards for row in from_table(shard, record)]


def quickstart(_: Path, sandbox: Sandbox, limit: int) -> tuple[list[Case], str]:
    settings = [f"generations={ROOT / 'builders/quickstart/generations.jsonl'}", "efficiency.enabled=false"]
    config = load(codedpo.Config, ROOT / "builders/configs/codedpo/quickstart.yaml", settings)
    with tempfile.TemporaryDirectory() as folder:
        with locked_runner(folder, quiet=True) as runner:
            codedpo.build(config, runner)
        ready = stage_rows(Path(folder), "candidates", Candidates)
        ran = stage_rows(Path(folder), "outcomes", Outcomes)
        ranked = stage_rows(Path(folder), "scores", Scores)
    found = [(row, entrants(row, *rest)) for row, *rest in zip(ready, ran, ranked, strict=True)]
    good = [(row, field) for row, field in found if len(field.codes) > 1 and len(field.tests) > 2][:limit]
    cases = [
        Case("quickstart", row.prompt_id, tuple(c.code for c in field.codes), field.calls, field.calls)
        for row, field in good
    ]
    return cases, f"quickstart: {len(cases)} of {len(ready)} prompts with 3 trusted tests and 2 distinct candidates"


# ---- truth and measurement


def truth(case: Case) -> list[float] | None:
    """CPU seconds of a run of each code; None if one fails outside the sandbox or takes too long."""
    spec = json.dumps({"codes": case.codes, "calls": [str(call) for call in case.truth_calls]})
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", TRUTH], input=spec, capture_output=True, text=True, timeout=60, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    return json.loads(done.stdout) if done.returncode == 0 else None


@contextmanager
def load_on(count: int) -> Iterator[None]:
    """So many processes that do nothing but compute."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def pairs(cases: list[Case], limits: Limits) -> list[Result | str]:
    config = Measurement(Efficiency(), limits)
    found = []
    for case in cases:
        codes = tuple(Candidate(str(i), code, i, None, 0) for i, code in enumerate(case.codes))
        found.append(measure_prompt(config, Entrants(codes, tuple(map(str, case.calls)), case.calls)))
    return found


def summary(cases: list[Case], costs: list[list[float]], runs: dict[str, list[Result | str]]) -> list[dict]:
    """One row a source and load."""
    rows = []
    for source in sorted({case.source for case in cases}):
        places = [i for i, case in enumerate(cases) if case.source == source]
        for load_, results in runs.items():
            real = [i for i in places if max(costs[i]) >= CLEARLY * min(costs[i])]
            kept = [i for i in places if isinstance(results[i], Result)]
            right = {i: costs[i][results[i].found.fast] < costs[i][results[i].found.slow] for i in kept}
            missed = Counter(str(results[i]).partition(":")[0] for i in real if i not in right)
            rows.append(
                {
                    "source": source,
                    "load": load_,
                    "cases": len(places),
                    "differ_2x": len(real),
                    "right_2x": sum(right.get(i, False) for i in real),
                    "wrong_2x": sum(not right[i] for i in real if i in right),
                    "missed_2x": dict(missed),
                    "kept": len(kept),
                    "kept_wrong": sum(not value for value in right.values()),
                    "kept_scaled": sum(results[i].larger is not None for i in kept),
                }
            )
    return rows


def wrong(cases: list[Case], costs: list[list[float]], results: list[Result | str]) -> list[str]:
    """Every kept pair that the truth turns round, in words."""
    found = []
    for case, cost, result in zip(cases, costs, results, strict=True):
        if isinstance(result, Result) and (ratio := cost[result.found.slow] / cost[result.found.fast]) <= 1:
            inputs = f"inputs scaled by {result.larger.factor}" if result.larger else "given inputs"
            line = f"{case.source} {case.name}: kept with {result.found.speedup:.2f} ({inputs}), truth {ratio:.2f}"
            found.append(line)
    return found


def agreement(first: list[Result | str], second: list[Result | str]) -> dict:
    """Of the pairs kept in both runs: how many prefer the same way. With many codes, the times decide."""
    both = [i for i in range(len(first)) if isinstance(first[i], Result) and isinstance(second[i], Result)]
    one = [i for i in range(len(first)) if isinstance(first[i], Result) != isinstance(second[i], Result)]
    opposed = [i for i in both if (first[i].found.fast, first[i].found.slow) == _turned(second[i])]
    same = [i for i in both if (first[i].found.fast, first[i].found.slow) == _turned(second[i])[::-1]]
    return {"kept_in_both": len(both), "same_pair": len(same), "opposed": len(opposed), "kept_in_one": len(one)}


def _turned(result: Result) -> tuple[int, int]:
    return result.found.slow, result.found.fast


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with efficiency/ and benchmarks/")
    parser.add_argument("--cases", type=int, default=40, help="cases of each source at most")
    parser.add_argument("--markdown", type=Path, help="write table and JSON line here, too")
    arguments = parser.parse_args()
    cases: list[Case] = []
    notes = []
    with Sandbox(Limits(cpu_s=0.5, screen_s=None)) as sandbox:
        for source in (quickstart, evalperf, pie):
            found, note = source(arguments.data, sandbox, arguments.cases)
            print(note, file=sys.stderr, flush=True)
            cases += found
            notes.append(note)
    known = [(case, cost) for case in cases if (cost := truth(case)) is not None]
    notes.append(f"truth: {len(known)} of {len(cases)} cases ran to the end")
    print(notes[-1], file=sys.stderr, flush=True)
    cases, costs = [case for case, _ in known], [cost for _, cost in known]
    cores, runs, times = os.cpu_count() or 1, {}, {}
    for name, count in (("idle", 0), (f"{cores} busy loops", cores)):
        started = time.monotonic()
        with load_on(count):
            runs[name] = pairs(cases, Limits())
            times[name] = f"load average {os.getloadavg()[0]:.1f}, {time.monotonic() - started:.0f} s"
        print(name, times[name], file=sys.stderr, flush=True)
    notes += [
        f"turned round, {name}: {line}" for name, results in runs.items() for line in wrong(cases, costs, results)
    ]
    rows = summary(cases, costs, runs)
    both = agreement(*runs.values())
    text = report(arguments.cases, notes, times, rows, both)
    print(text)
    if arguments.markdown:
        arguments.markdown.write_text(text)


def report(limit: int, notes: list[str], times: dict[str, str], rows: list[dict], both: dict) -> str:
    columns = list(rows[0])
    table = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    for row in rows:
        words = {**row, "missed_2x": ", ".join(f"{n} {rule}" for rule, n in row["missed_2x"].items()) or "0"}
        table.append("| " + " | ".join(str(words[name]) for name in columns) + " |")
    data = json.dumps({"benchmark": "efficiency_quality", "rows": rows, "agreement": both, "machine": times})
    return "\n".join(
        [
            "# Efficiency pairs: direction, idle and loaded",
            "",
            f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, Python {sys.version.split()[0]}. Command:",
            "",
            f"    PYTHONPATH=. python benchmarks/efficiency_quality.py --data DATA --cases {limit}",
            "",
            *(f"- {note}" for note in notes),
            *(f"- {name}: {text}" for name, text in times.items()),
            "",
            *table,
            "",
            "Kept in both runs: {kept_in_both}; same two codes, same way {same_pair}; the opposite way {opposed}. "
            "Kept in one run alone: {kept_in_one}.".format(**both),
            "",
            "```json",
            data,
            "```",
            "",
        ]
    )


if __name__ == "__main__":
    main()
