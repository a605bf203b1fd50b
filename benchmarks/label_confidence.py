"""How confidence was learnt, and how far it can be trusted: reliability curves of several models' samples.

    python -m benchmarks.label_confidence codegen=CODET.parquet gpt=GPT.parquet tiny=TINY.parquet qwen=QWEN.parquet

NAME=CACHE are caches of `label_matrix` (CodeGen-16B, gpt-3.5) and `label_runs` (the tiny model, Qwen2.5-Coder-0.5B).

Learning. Draws of many shapes (`SHAPES`) of all sources, every source and every task counting the same; pairs of
`LEARNT_FROM`; a ridge logistic model of "chosen right and rejected wrong" on `builders.chain.confidence.FEATURES`.

With --examples the caches have examples (`label_examples`): the weights of `EXAMPLE_FEATURES` alone are learnt, with
all others as the builders have them, so that pairs of prompts without examples keep their confidence.

Measuring. Draws of at most 15 codes x 15 tests, never with weights that saw the same task:
- `new tasks`: five folds over the tasks of all sources; what a model much like one of these may expect;
- `new model`: weights from the other sources alone; what any other model may expect.
Every draw number is a run of its own, which finds its share of right pairs from itself, as a build does. ECE has ten
bins; `floor` is the ECE of a perfect confidence on as many pairs: a small set can not be expected to get below it.
"""

import argparse
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import label_matrix
from benchmarks.label_quality import Draws, Floats, Pairs, area, calibration_error, draw, pairs
from builders.chain import confidence, ranking

SHAPES = ((15, 15), (30, 30), (15, 30), (8, 15), (15, 8), (8, 8))
MEASURED_SHAPES = ((15, 15),)
LEARNT_FROM: tuple[ranking.Name, ...] = ("combined", "self_validation", "output_consensus")
MEASURED: tuple[ranking.Name, ...] = ("combined", "self_validation")
FOLDS = 5
RIDGE = 0.03
THRESHOLDS = (0.4, 0.5, 0.6, 0.7, 0.8)
"""Values of `min_confidence` that are shown."""
BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Learnt:
    """A logistic model and the share of right pairs where it was learnt."""

    weights: tuple[float, ...]
    """Intercept, then one weight a feature."""
    share: float


@dataclass(frozen=True)
class Source:
    """One model's samples."""

    name: str
    learning: Pairs
    measured: Mapping[str, Pairs]
    """By ranking."""


def source(name: str, tasks: Sequence[label_matrix.Task], arguments: argparse.Namespace) -> Source:
    """Draws everything from one cache."""
    learning = _draws(tasks, arguments, SHAPES, 1)
    parts = [pairs(ranked, learning, 0, "lot") for ranked in LEARNT_FROM]
    measured = _draws(tasks, arguments, MEASURED_SHAPES, arguments.draws)
    return Source(name, _together(parts), {ranked: pairs(ranked, measured, 0, "lot") for ranked in MEASURED})


def _draws(
    tasks: Sequence[label_matrix.Task], arguments: argparse.Namespace, shapes: Sequence[tuple[int, int]], draws: int
) -> list[Draws]:
    options = argparse.Namespace(draws=draws, first=arguments.first, seed=arguments.seed, truth="passed")
    return draw(tasks, options, shapes)


def _together(parts: Sequence[Pairs]) -> Pairs:
    columns = ("features", "chosen", "rejected", "mixed", "task", "run")
    joined = {column: np.concatenate([getattr(part, column) for part in parts]) for column in columns}
    return Pairs(**joined, draws=sum(part.draws for part in parts))


def fold_of(found: Pairs) -> NDArray[np.int64]:
    """The fold of each pair, by its task."""
    return found.task % FOLDS


def learn(parts: Sequence[tuple[Pairs, NDArray[np.bool_]]], examples: bool = False) -> Learnt:
    """A model from some pairs of each source (`Pairs` and which of them), every source and task counting the same.

    `examples`: only the weights of examples are learnt.
    """
    features = np.concatenate([found.features[kept] for found, kept in parts])
    right = np.concatenate([found.right[kept] for found, kept in parts])
    weights = np.concatenate([_by_task(found.task[kept]) for found, kept in parts]) / len(parts)
    if examples:
        known = confidence.WEIGHTS[: -len(confidence.EXAMPLE_FEATURES)]
        odds = known[0] + features[:, : len(known) - 1] @ np.array(known[1:])
        columns = features[:, len(known) - 1 :]
        more = newton(columns, odds, right, weights, np.full(columns.shape[1], RIDGE))
        return Learnt((*known, *more.tolist()), confidence.LEARNT_SHARE)
    return Learnt(tuple(logistic(features, right, weights).tolist()), float((right * weights).sum()))


def _by_task(task: NDArray[np.int64]) -> Floats:
    """Weights that give every task the same sum, one in all."""
    _, place, count = np.unique(task, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / count[place] / len(count))


def logistic(features: Floats, right: NDArray[np.bool_], weights: Floats) -> Floats:
    """Intercept and weights of a ridge logistic model, by Newton's method on standardised features."""
    mean = weights @ features
    spread = np.sqrt(weights @ (features - mean) ** 2) + 1e-9
    x = np.column_stack([np.ones(len(features)), (features - mean) / spread])
    ridge = np.full(x.shape[1], RIDGE)
    ridge[0] = 0.0
    beta = newton(x, np.zeros(len(x)), right, weights, ridge)
    scaled = beta[1:] / spread
    return np.array([beta[0] - (mean * scaled).sum(), *scaled])


def newton(x: Floats, known: Floats, right: NDArray[np.bool_], weights: Floats, ridge: Floats) -> Floats:
    """Weights of the columns of a logistic model, each held back by its `ridge`, beside log odds that are known."""
    beta = np.zeros(x.shape[1])
    for _ in range(12):
        p = 1 / (1 + np.exp(-known - x @ beta))
        slope = x.T @ (x * (weights * p * (1 - p))[:, None]) + np.diag(ridge)
        beta -= np.linalg.solve(slope, x.T @ (weights * (p - right)) + ridge * beta)
    return beta


def sure_of(found: Pairs, log_odds: Floats, learnt_share: float) -> Floats:
    """Confidence of every pair, each run with the share of right pairs that is estimated from it."""
    result = np.zeros(len(log_odds))
    for number in np.unique(found.run):
        mine = found.run == number
        share = confidence.right_share([log_odds[mine]], learnt_share)
        result[mine] = confidence.probability(log_odds[mine], share, learnt_share)
    return result


def on_new_tasks(sources: Sequence[Source], examples: bool = False) -> Iterator[tuple[Source, str, Pairs, Floats]]:
    """Every source's measured pairs with the confidence of models that saw other tasks of all sources."""
    models = [
        learn([(item.learning, fold_of(item.learning) != number) for item in sources], examples)
        for number in range(FOLDS)
    ]
    share = float(np.mean([model.share for model in models]))
    for item in sources:
        for ranked, found in item.measured.items():
            all_odds = np.stack([_apply(model, found.features) for model in models])
            log_odds = all_odds[fold_of(found), np.arange(len(found.task))]
            yield item, ranked, found, sure_of(found, log_odds, share)


def on_a_new_model(sources: Sequence[Source], examples: bool = False) -> Iterator[tuple[Source, str, Pairs, Floats]]:
    """Every source's measured pairs with the confidence of a model that saw the other sources alone."""
    for item in sources:
        others = [(other.learning, np.ones(len(other.learning.task), bool)) for other in sources if other is not item]
        model = learn(others, examples)
        for ranked, found in item.measured.items():
            yield item, ranked, found, sure_of(found, _apply(model, found.features), model.share)


def _apply(model: Learnt, features: Floats) -> Floats:
    return np.asarray(model.weights[0] + features @ np.array(model.weights[1:]))


def row_of(found: Pairs, sure: Floats) -> dict[str, Any]:
    """All figures of one line."""
    every, mixed = np.ones(len(sure)), found.mixed.astype(np.float64)
    order = np.argsort(-sure, kind="stable")
    rng = np.random.default_rng(0)
    floors = [calibration_error(rng.random(len(sure)) < sure, sure, every) for _ in range(20)]
    return {
        "pairs": len(sure),
        "right": float(found.right.mean()),
        "expected": float(sure.mean()),
        "ece": calibration_error(found.right, sure, every),
        "floor": float(np.mean(floors)),
        "auc": area(found.right[order], every),
        "auc mixed": area(found.right[order], mixed[order]),
        "curve": list(_curve(found.right, sure)),
        "kept": [(float((sure >= least).mean()), _share(found.right[sure >= least])) for least in THRESHOLDS],
    }


def _share(right: NDArray[np.bool_]) -> float:
    return float(right.mean()) if right.size else float("nan")


def _curve(right: NDArray[np.bool_], sure: Floats) -> Iterator[tuple[int, float, float]]:
    """For each bin: pairs, mean confidence, share of right pairs."""
    bins = np.clip(np.digitize(sure, BINS) - 1, 0, len(BINS) - 2)
    for number in range(len(BINS) - 1):
        mine = bins == number
        yield int(mine.sum()), float(sure[mine].mean()) if mine.any() else float("nan"), _share(right[mine])


def lines(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Three tables: figures, reliability curves, and what `min_confidence` keeps."""
    columns = ("pairs", "right", "expected", "ECE", "floor", "AUC", "AUC mixed")
    yield from _table(rows, columns, _figures)
    yield "\nMean confidence -> share of right pairs (number of pairs):\n"
    spans = [f"{low:.1f}-{high:.1f}" for low, high in itertools.pairwise(BINS)]
    yield from _table(rows, spans, _points)
    yield "\nShare of the pairs that is kept: share of those that are right:\n"
    yield from _table(rows, [f">= {least}" for least in THRESHOLDS], _kept)


def _table(
    rows: Sequence[dict[str, Any]], columns: Sequence[str], cells: Callable[[dict[str, Any]], Iterable[str]]
) -> Iterator[str]:
    yield "| source | weights from | ranking | " + " | ".join(columns) + " |"
    yield "|---" * (len(columns) + 3) + "|"
    for row in rows:
        head = (row["source"], row["kind"], row["ranking"])
        yield "| " + " | ".join([*head, *cells(row)]).replace("nan %", "-").replace("nan", "-") + " |"


def _figures(row: dict[str, Any]) -> Iterator[str]:
    yield str(row["pairs"])
    yield from (f"{100 * row[key]:.0f} %" for key in ("right", "expected"))
    yield from (f"{row[key]:.2f}" for key in ("ece", "floor", "auc", "auc mixed"))


def _points(row: dict[str, Any]) -> Iterator[str]:
    for pairs_here, mean, right in row["curve"]:
        yield f"{mean:.2f} -> {right:.2f} ({pairs_here})" if pairs_here else "-"


def _kept(row: dict[str, Any]) -> Iterator[str]:
    return (f"{100 * kept:.0f} %: {100 * right:.0f} %" for kept, right in row["kept"])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("caches", nargs="+", help="NAME=CACHE.parquet")
    parser.add_argument("--draws", type=int, default=6, help="runs to measure on")
    parser.add_argument("--first", type=int, default=5, help="asserts of an answer that count")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--examples", action="store_true", help="learn the weights of examples alone")
    arguments = parser.parse_args()
    named = [text.partition("=") for text in arguments.caches]
    if not all(path for _, _, path in named):
        parser.error("give each cache as NAME=CACHE.parquet")
    sources = [source(name, label_matrix.load(Path(path)), arguments) for name, _, path in named]
    rows = [
        {"source": item.name, "kind": kind, "ranking": ranked, **row_of(found, sure)}
        for kind, measure in (("new tasks", on_new_tasks), ("new model", on_a_new_model))
        for item, ranked, found, sure in measure(sources, arguments.examples)
    ]
    print("\n".join(lines(rows)))
    whole = learn([(item.learning, np.ones(len(item.learning.task), bool)) for item in sources], arguments.examples)
    print(f"WEIGHTS = {tuple(round(weight, 3) for weight in whole.weights)}\nLEARNT_SHARE = {whole.share:.3f}")
    print(json.dumps(rows).replace("NaN", "null"))


if __name__ == "__main__":
    main()
