"""What the signals of CodeDPO's rows are worth before any training: how right the labels are that they keep or weigh.

    python benchmarks/signal_labels.py RUN [RUN ...] [--max-entropy 1.5]

RUN is a CodeDPO dataset of the tiny model, built with `training_columns: true` and `test_pairs: true`. Programs are
judged by the hidden tests of their tasks, tests by the tasks' reference programs. A pair is right when the chosen side
is right and the rejected one wrong, inverted when it is the other way round. Brackets are 95 % intervals over prompts.
"""

import argparse
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from datasets import load_dataset
from numpy.typing import NDArray

from codepref.generate.tiny.tasks import read_task
from codepref.intervals import LEVELS, RESAMPLES
from evaluation import tiny

EDGES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
"""Of the confidences that are told apart."""
MAX_CRASH_RATE = 0.8


@dataclass(frozen=True)
class Judged:
    """Pairs and their truth; all arrays have one entry a pair."""

    prompts: NDArray[np.int64]
    """Number of the prompt."""
    right: NDArray[np.bool_]
    inverted: NDArray[np.bool_]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--max-entropy", type=float, default=1.5)
    arguments = parser.parse_args()
    for run in arguments.runs:
        print(f"{run.name}\n\n{table(run, arguments.max_entropy)}\n")


def table(run: Path, max_entropy: float) -> str:
    """The table of one run."""
    rows = load_dataset(str(run), "correctness", split="train").to_list()
    codes = judge_codes(rows)
    values = {
        name: np.array([row[name] for row in rows], dtype=float)
        for name in ("confidence", "semantic_entropy", "crash_rate", "chosen_consensus")
    }
    entropy, confidence = values["semantic_entropy"], values["confidence"]
    kept = (entropy > 0) & (entropy < max_entropy) & (values["crash_rate"] < MAX_CRASH_RATE)
    ones = np.ones(len(rows))
    lines = ["| labels | pairs | right | inverted |", "|---|---|---|---|"]
    lines.append(_line("all pairs of codes", codes, ones))
    lines.append(_line("by weight: confidence", codes, confidence))
    lines.append(_line(f"kept by max_entropy {max_entropy}", codes, ones * kept))
    lines.append(_line("these by weight: chosen_consensus", codes, values["chosen_consensus"] * kept))
    for low, high in itertools.pairwise(EDGES):
        inside = (confidence >= low) & ((confidence < high) | (high == EDGES[-1]))
        lines.append(_line(f"confidence {low} to {high}", codes, ones * inside))
    tests = judge_tests(load_dataset(str(run), "tests", split="train").to_list())
    lines.append(_line("pairs of tests", tests, np.ones(len(tests.right))))
    return "\n".join(lines)


def judge_codes(rows: Sequence[Mapping[str, Any]]) -> Judged:
    """The truth of pairs of programs."""
    programs: dict[str, list[str]] = {}
    for row in rows:
        programs.setdefault(row["prompt"], []).extend((row["chosen"], row["rejected"]))
    work = [(prompt, list(dict.fromkeys(some))) for prompt, some in programs.items()]
    truth = {}
    for (prompt, some), right in zip(work, tiny.right(work), strict=True):
        truth |= {(prompt, program): bool(is_right) for program, is_right in zip(some, right, strict=True)}
    sides = [(truth[row["prompt"], row["chosen"]], truth[row["prompt"], row["rejected"]]) for row in rows]
    return _judged(rows, sides)


def judge_tests(rows: Sequence[Mapping[str, Any]]) -> Judged:
    """The truth of pairs of tests: what the reference program passes."""
    work = [([read_task(row["task"]).reference], [row["chosen"], row["rejected"]]) for row in rows]
    return _judged(rows, [tuple(matrix[0].tolist()) for matrix in tiny.ragged(work)])


def _judged(rows: Sequence[Mapping[str, Any]], sides: Sequence[tuple[bool, ...]]) -> Judged:
    chosen, rejected = np.array(sides, dtype=bool).reshape(-1, 2).T
    prompts = np.unique([row["prompt_id"] for row in rows], return_inverse=True)[1]
    return Judged(prompts, chosen & ~rejected, rejected & ~chosen)


def _line(name: str, judged: Judged, weights: NDArray[np.floating]) -> str:
    shares = [share(judged.prompts, truth, weights) for truth in (judged.right, judged.inverted)]
    cells = [f"{mean:.3f} [{low:.3f}, {high:.3f}]" for mean, low, high in shares]
    return f"| {name} | {int((weights > 0).sum())} | {' | '.join(cells)} |"


def share(
    prompts: NDArray[np.int64], truth: NDArray[np.bool_], weights: NDArray[np.floating]
) -> tuple[float, float, float]:
    """Weighted share of pairs that are true, and its interval over bootstrapped prompts."""
    count = int(prompts.max()) + 1 if len(prompts) else 0
    true = np.bincount(prompts, weights * truth, count)
    whole = np.bincount(prompts, weights, count)
    if not whole.sum():
        return 0.0, 0.0, 0.0
    draws = np.random.default_rng(0).integers(0, count, (RESAMPLES, count))
    totals = whole[draws].sum(1)
    drawn = true[draws].sum(1)[totals > 0] / totals[totals > 0]
    low, high = np.quantile(drawn, LEVELS)
    return float(true.sum() / whole.sum()), float(low), float(high)


if __name__ == "__main__":
    main()
