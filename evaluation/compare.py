"""Two runs of one benchmark, problem by problem: paired difference, McNemar's test, wins and losses."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from codepref.errors import CodeprefError
from evaluation import results
from evaluation.samples import write_text
from evaluation.score import Z


def read_result_folder(folder: Path) -> tuple[dict[str, Any], list[results.Row]]:
    """`results.json` and verdicts of a result folder; raises `CodeprefError` where it is none."""
    path = folder / "results.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CodeprefError(f"{path}: no results to compare ({error}); give OUT/BENCHMARK of a finished run") from None
    return found, results.read_verdicts(folder / "verdicts.jsonl")


def compare_runs(a: Path, b: Path) -> dict[str, Any]:
    """The comparison of B with A on the problems that both have.

    The difference is that of pass@1 in points (B minus A), with a 95 % interval over problems (`paired_interval`).
    McNemar's test is exact and looks at the first sample of each problem.

    Raises `CodeprefError` for different benchmarks, for problems that differ between them, or where none is in both.
    """
    (first, first_rows), (second, second_rows) = read_result_folder(a), read_result_folder(b)
    if first["benchmark"] != second["benchmark"]:
        raise CodeprefError(f"{a} is {first['benchmark']}, {b} is {second['benchmark']}; compare runs of one benchmark")
    if first["fingerprint"]["dataset"] != second["fingerprint"]["dataset"]:
        _check_same_problems(a, b, [found.get("task_hashes", {}) for found in (first, second)])
    rates = [_rates(first_rows), _rates(second_rows)]
    shared = [task for task in rates[0] if task in rates[1]]
    if not shared:
        raise CodeprefError(f"{a} and {b} have no problem in common")
    difference, low, high = paired_interval([rates[1][task] - rates[0][task] for task in shared])
    right_before, right_after = solved_tasks(first_rows), solved_tasks(second_rows)
    wins = [task for task in shared if task in right_after and task not in right_before]
    losses = [task for task in shared if task in right_before and task not in right_after]
    return {
        "benchmark": first["benchmark"],
        "a": str(a), "b": str(b),
        "problems": len(shared),
        "problems_of_each": [len(rate) for rate in rates],
        "pass@1": [100 * _mean(rate, shared) for rate in rates],
        "difference": 100 * difference, "low": 100 * low, "high": 100 * high,
        "mcnemar_p": mcnemar(len(wins), len(losses)),
        "wins": wins, "losses": losses,
        "same_fingerprint": _way(first) == _way(second),
    }  # fmt: skip


def _check_same_problems(a: Path, b: Path, hashes: Sequence[Mapping[str, str]]) -> None:
    """Raises `CodeprefError` where a problem of both runs has other data in one of them, or where that is not known."""
    first, second = hashes
    differing = [task for task, value in first.items() if second.get(task, value) != value]
    if differing or not first or not second:
        which = f" (e.g. {differing[0]})" if differing else ""
        raise CodeprefError(
            f"{a} and {b} were graded on different versions of the data{which}; grade one of them again"
        )


def _way(found: Mapping[str, Any]) -> dict[str, Any]:
    """The fingerprint without what tells a part from a whole run: the common problems are the same."""
    return {key: value for key, value in found["fingerprint"].items() if key not in ("id", "dataset")}


def _rates(rows: Sequence[results.Row]) -> dict[str, float]:
    """Share of right samples of every task."""
    counted = results.counts(rows, "verdict")
    return {task: right / samples for task, (samples, right) in counted.items()}


def _mean(rate: Mapping[str, float], tasks: Sequence[str]) -> float:
    return sum(rate[task] for task in tasks) / len(tasks)


def solved_tasks(rows: Sequence[results.Row]) -> set[str]:
    """The tasks whose first sample is right."""
    return {row["task_id"] for row in rows if row["sample"] == 0 and row["verdict"] == "passed"}


def paired_interval(differences: Sequence[float]) -> tuple[float, float, float]:
    """Mean of one difference a problem, each in [-1, 1], and its 95 % interval.

    Bonett and Price's adjusted Wald interval (2012, Journal of Educational and Behavioral Statistics 37): one problem
    won and one lost are added before the normal interval is taken, so that a few equal differences do not seem certain.
    """
    mean = math.fsum(differences) / len(differences)
    values = [*differences, 1.0, -1.0]
    centre = math.fsum(values) / len(values)
    spread = math.fsum((value - centre) ** 2 for value in values) / len(values)
    half = Z * math.sqrt(spread / len(values))
    return mean, max(-1.0, min(mean, centre - half)), min(1.0, max(mean, centre + half))


def mcnemar(wins: int, losses: int) -> float:
    """Exact two-sided p of McNemar's test: the binomial test of the discordant pairs."""
    n, k = wins + losses, min(wins, losses)
    tail = float(sum(math.comb(n, i) for i in range(k + 1)) / 2**n)
    return min(1.0, 2 * tail)


def comparison_text(found: Mapping[str, Any]) -> str:
    """The comparison as Markdown."""
    a, b = found["pass@1"]
    of_each = found["problems_of_each"]
    both = f"{found['problems']} problems"
    if set(of_each) != {found["problems"]}:
        both = f"{found['problems']} problems that both have (A {of_each[0]}, B {of_each[1]})"
    lines = [
        f"{found['benchmark']}, {both}: A {a:.1f}, B {b:.1f}, B - A = {found['difference']:+.1f} "
        f"[{found['low']:+.1f}, {found['high']:+.1f}] points, McNemar p = {found['mcnemar_p']:.3g}",
        f"B wins {len(found['wins'])}: {', '.join(found['wins']) or '-'}",
        f"B loses {len(found['losses'])}: {', '.join(found['losses']) or '-'}",
    ]
    if not found["same_fingerprint"]:
        lines.append("The fingerprints differ: the runs were not made in the same way; see both results.json.")
    cost = found.get("efficiency")
    if cost:
        typical, mean = cost["geometric_mean"], (cost["speed_up"], cost["low"], cost["high"])
        lines.append(
            f"Efficiency on {cost['problems']} problems that both solve: A's time over B's is {_span(typical)} in the "
            f"geometric mean, {_span(mean)} in the mean; {100 * cost['optimised']:.1f} % of B's are >= 10 % faster, "
            f"{100 * cost['slower']:.1f} % slower"
        )
    return "\n".join(lines)


def _span(values: Sequence[float]) -> str:
    mean, low, high = values
    return f"{mean:.2f} [{low:.2f}, {high:.2f}]"


def write_comparison(folder: Path, found: Mapping[str, Any]) -> None:
    """Writes `comparison.json` and `comparison.md`."""
    write_text(folder / "comparison.json", json.dumps(found, indent=2) + "\n")
    write_text(folder / "comparison.md", comparison_text(found) + "\n")
