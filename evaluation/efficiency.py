"""CodeDPO's efficiency metrics: how much faster the programs of one run are than those of another.

Both programs of a problem are called on all its inputs in turn, in the same sandbox; its cost is the median CPU
time of several rounds, as single readings are off in both directions on a crowded machine. Speed-up is the mean
ratio of costs over problems that both solve, and a program counts as optimised when it needs at least 10 % less time.
One program that is a thousand times faster makes such a mean large, and the mean of the inverse ratios as well; the
geometric mean, which is added here, is 1 where neither side is faster.
"""

import math
import statistics
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from codepref.errors import CodeprefError
from codepref.files import read_rows
from codepref.intervals import bootstrap
from codepref.sandbox.calls import Caller, callers
from evaluation import catalogue, compare
from evaluation.benchmark import Problem, Settings
from evaluation.grade import inputs

ROUNDS = 5
FASTER = 0.9
LEAST_S = 2e-4
"""Costs below this are noise, and count as equal."""


def compare_efficiency(a: Path, b: Path, data: Path | None, workers: int, cache: Path) -> dict[str, Any]:
    """Speed-up of B over A and the share of optimised programs, on problems both solve.

    Raises `CodeprefError` for benchmarks whose tests are not calls, or where no problem is solved by both.
    """
    found, first = compare.read_result_folder(a)
    _, second = compare.read_result_folder(b)
    if not found["benchmark"].endswith("_plus"):
        raise CodeprefError(
            f"{found['benchmark']}: cost is measured on humaneval_plus and mbpp_plus, whose tests are calls"
        )
    problems = {p.task_id: p for p in catalogue.benchmark(found["benchmark"]).load(data)}
    programs = _programs(a), _programs(b)
    solved = compare.solved_tasks(first) & compare.solved_tasks(second) & set(programs[0]) & set(programs[1])
    both = [task for task in problems if task in solved]
    if not both:
        raise CodeprefError(f"{a} and {b}: no problem that both solve")
    settings = Settings(workers=workers, cache=cache)
    work = [(problems[task], programs[0][task], programs[1][task]) for task in both]
    pairs = list(callers(work, measure, inputs.calling_limits(settings), workers=workers))
    return efficiency_summary(dict(zip(both, pairs, strict=True)))


def efficiency_summary(costs: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
    """Metrics from the costs (A, B) in CPU seconds of each problem."""
    ratios = {task: ratio(*pair) for task, pair in costs.items()}
    mean, low, high = bootstrap(list(ratios.values()))
    logarithms = [math.log(value) for value in ratios.values()]
    typical = [math.exp(edge) for edge in bootstrap(logarithms)]
    return {
        "problems": len(ratios),
        "speed_up": mean, "low": low, "high": high, "geometric_mean": typical,
        "optimised": sum(value >= 1 / FASTER for value in ratios.values()) / len(ratios),
        "slower": sum(value <= FASTER for value in ratios.values()) / len(ratios),
        "ratios": {task: round(value, 3) for task, value in ratios.items()},
    }  # fmt: skip


def ratio(a: float, b: float) -> float:
    """Cost of A over cost of B; 1 where both are too small to tell."""
    return 1.0 if max(a, b) < LEAST_S else max(a, LEAST_S) / max(b, LEAST_S)


def measure(caller: Caller, item: tuple[Problem, str, str]) -> tuple[float, float]:
    """Median CPU seconds of two programs over several alternating rounds on all inputs."""
    problem, *programs = item
    calls = replace(inputs.calls_of(problem, inputs.GROUP_S), group_s=inputs.GROUP_S)
    costs: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for place, program in enumerate(programs):
            costs[place].append(sum(sum(group.cpu_s) for group in caller.call(program, calls)))
    return statistics.median(costs[0]), statistics.median(costs[1])


def _programs(folder: Path) -> dict[str, str]:
    """The first program of each problem in a result folder."""
    found: dict[str, str] = {}
    for _, row in read_rows(folder / "samples.jsonl"):
        found.setdefault(str(row["task_id"]), str(row["solution"]))
    return found
