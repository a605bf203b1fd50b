"""How good the labels are: every ranking on published generations whose truth is known.

    python -m benchmarks.label_quality CACHE.parquet [--tasks held] [--truth plus] [--set agentcoder]

CACHE is the file of matrices (`label_matrix`); where it does not exist it is made from --data: 530,000 executions.
Other caches: `label_runs` (finished runs whose truth is known), `label_examples` (the same with examples). Numbers of
codes and tests against each other: `label_surface`. How confidence was learnt, and its reliability curves:
`label_confidence`. What DSTC picks from the same draws: `dstc_quality`.

Protocol. A draw is --codes codes and --tests tests of a task, both at random without replacement, out of the codes that
compile and the distinct tests among the first five asserts of each answer (CodeT's rule; --first changes it). A draw is
*mixed* when it holds a right and a wrong code: only then can a pair be right. `pair` is the share of pairs of mixed
draws whose chosen code is truly right and whose rejected code is truly wrong; `chosen` and `rejected` are its two
halves. `p75`, `p50`, `p25` are the same for the most confident 75, 50 and 25 % of these pairs. `all` is the share of
right pairs over all draws, mixed or not; AUC and ECE (ten bins) of confidence are over all of them too, since a builder
does not know which prompts are mixed. For confidence the first draws of all tasks are one run, the second draws
another one, and so on, each with the share of right pairs that is estimated from it. `yield` is the share of draws
that give a pair. Of equally scored codes one is drawn by lot (--ties). Intervals: 95 %, bootstrap over tasks. The
ranking `truth` knows which codes are right: what it has below 100 % no ranking gets, since examples decide before it.

Tasks are split by a hash of their name: the half `tuned` is for choosing forms, constants and weights, the half `held`
for reporting. What was compared on which half, and how often, is in `benchmarks/results/label_quality.md`.
"""

import argparse
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks import label_matrix
from builders.chain import confidence, ranking
from builders.chain.evidence import EXCEPTIONS, NOTHING, ExampleStack, MatrixStack, read_examples
from codepref import extract
from codepref.records import to_table

Floats = NDArray[np.float64]
YIELDS = (0.75, 0.5, 0.25)
COLUMNS = ("yield", "chosen", "rejected", "pair", "p75", "p50", "p25", "all", "auc", "auc mixed", "ece")
WITH_INTERVAL = ("pair", "p75", "p50", "p25", "auc", "ece")
TRUTH = "truth"
TIES = ("lot", "shortest", "median")


@dataclass(frozen=True)
class Draws:
    """Draws of one shape."""

    evidence: MatrixStack
    right: NDArray[np.bool_]
    """Truth, shape (draws, codes)."""
    nodes: NDArray[np.int64]
    """Length of each code, shape (draws, codes)."""
    ids: list[list[str]]
    """Names of the codes."""
    task: NDArray[np.int64]
    """Number of the task, shape (draws,)."""
    run: NDArray[np.int64]
    """Which draw of its task it is, shape (draws,): together the first draws of all tasks are like one run."""


@dataclass(frozen=True)
class Pairs:
    """One row a pair."""

    features: Floats
    chosen: NDArray[np.bool_]
    """Whether the chosen code is right."""
    rejected: NDArray[np.bool_]
    """Whether the rejected code is wrong."""
    mixed: NDArray[np.bool_]
    task: NDArray[np.int64]
    run: NDArray[np.int64]
    draws: int
    """Number of draws the pairs come from."""

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the pair is right."""
        return self.chosen & self.rejected

    def confidence(self) -> Floats:
        """The builders' confidence, every run with the share of right pairs that is estimated from it."""
        log_odds = confidence.log_odds(self.features)
        result = np.zeros(len(log_odds))
        for number in np.unique(self.run):
            mine = self.run == number
            result[mine] = confidence.probability(log_odds[mine], confidence.right_share([log_odds[mine]]))
        return result


def is_held(task_id: str) -> bool:
    """Whether a task belongs to the half that is kept apart."""
    return hashlib.sha256(task_id.encode()).digest()[-1] % 2 == 1


def matrix(task: label_matrix.Task) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Passes and output labels of a whole task, shapes (programs, tests)."""
    shape = len(task.programs), len(task.tests)
    prints = np.array(task.fingerprints).reshape(shape)
    names, labels = np.unique(prints, return_inverse=True)
    none = np.array([name in EXCEPTIONS or not name for name in names], dtype=np.bool_)
    labels = labels.reshape(shape)
    outputs = np.where(none[labels], NOTHING, labels) if len(names) else labels
    return np.array(task.verdicts).reshape(shape) == "passed", outputs.astype(np.int64)


def drawn(
    task: label_matrix.Task, arguments: argparse.Namespace, shape: tuple[int, int] | None = None
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """The draws of one task: numbers of its samples, and columns of its matrix.

    `shape` is how many codes and tests there are in a draw, in place of what `arguments` say.
    """
    codes_wanted, tests_wanted = shape or (arguments.codes, arguments.tests)
    usable = np.flatnonzero(np.array(task.rows) >= 0)
    early = np.flatnonzero(np.array(task.places) < arguments.first)
    key = int(hashlib.sha256(task.task_id.encode()).hexdigest()[:8], 16)
    for index in range(arguments.draws if len(early) and len(usable) > 1 else 0):
        rng = np.random.default_rng([arguments.seed, index, key])
        codes = rng.permutation(usable)[:codes_wanted]
        yield codes, rng.permutation(early)[:tests_wanted]


def truth(task: label_matrix.Task, arguments: argparse.Namespace) -> NDArray[np.bool_]:
    """Which samples are right."""
    return np.array(task.plus if arguments.truth == "plus" else task.passed)


def draw(
    tasks: Sequence[label_matrix.Task], arguments: argparse.Namespace, shapes: Sequence[tuple[int, int]] = ()
) -> list[Draws]:
    """All draws, grouped by shape; of `shapes` (codes, tests) where there are some, else of the one in `arguments`."""
    groups: dict[tuple[int, ...], list[tuple[Any, ...]]] = {}
    for number, task in enumerate(tasks):
        passed, outputs = matrix(task)
        nodes = np.array([extract.node_count(program) for program in task.programs])
        right = truth(task, arguments)
        examples = np.array(task.examples or [()] * len(task.programs), dtype=str)
        for wanted in shapes or ((arguments.codes, arguments.tests),):
            for run, (codes, tests) in enumerate(drawn(task, arguments, wanted)):
                rows = np.array(task.rows)[codes]
                cells = np.ix_(rows, tests)
                told = read_examples(examples[rows][None] == "passed", examples[rows][None] != "unjudged")
                names = list(map(str, codes))
                item = (passed[cells], outputs[cells], right[codes], nodes[rows], names, number, run, told)
                groups.setdefault(item[0].shape, []).append(item)
    return [_draws(items) for items in groups.values()]


def _draws(items: list[tuple[Any, ...]]) -> Draws:
    passed, outputs, right, nodes, ids, task, run, told = zip(*items, strict=True)
    failed, behind = (np.concatenate([getattr(item, side) for item in told]) for side in ("failed", "behind"))
    evidence = MatrixStack(np.array(passed), np.array(outputs), ExampleStack(failed, behind))
    return Draws(evidence, np.array(right), np.array(nodes), list(ids), np.array(task), np.array(run))


def scores_of(name: ranking.Name | Literal["truth"], group: Draws, seed: int) -> Floats:
    """The scores of the codes of some draws; examples decide first."""
    if name == TRUTH:
        codes = group.right.astype(np.float64)
    elif name == "random":
        codes = ranking.random(group.ids, seed)
    else:
        codes = ranking.rank(name, group.evidence)[0]
    return ranking.with_examples(group.evidence, *ranking.with_tests(group.evidence, codes))[0]


def pairs(name: ranking.Name | Literal["truth"], draws: Sequence[Draws], seed: int, ties: str) -> Pairs:
    """The pairs a ranking gives: highest over lowest score."""
    parts = []
    for group in draws:
        scores = scores_of(name, group, seed)
        kept = np.flatnonzero(scores.max(axis=1) > scores.min(axis=1))
        chosen, rejected = (side[kept] for side in extremes(np.round(scores, 12), group.nodes, ties))
        evidence, right, at = group.evidence.of(kept), group.right[kept], np.arange(len(kept))
        parts.append(
            (
                confidence.features(evidence, chosen, rejected),
                right[at, chosen],
                ~right[at, rejected],
                right.any(axis=1) & ~right.all(axis=1),
                group.task[kept],
                group.run[kept],
            )
        )
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return Pairs(*columns, draws=sum(len(group.task) for group in draws))


def extremes(scores: Floats, nodes: NDArray[np.int64], ties: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The chosen and the rejected code of each draw; codes of a draw come in random order, so the first is a lot."""
    best, worst = scores == scores.max(axis=1, keepdims=True), scores == scores.min(axis=1, keepdims=True)
    if ties == "lot":
        return best.argmax(axis=1), worst.argmax(axis=1)
    if ties == "shortest":
        wanted = np.zeros(len(scores))
    else:
        wanted = np.array([np.median(line[mine]) for line, mine in zip(nodes, best, strict=True)])
    chosen = np.where(best, np.abs(nodes - wanted[:, None]), np.inf).argmin(axis=1)
    length = np.take_along_axis(nodes, chosen[:, None], axis=1)
    return chosen, np.where(worst, np.abs(nodes - length), np.inf).argmin(axis=1)


def measure(found: Pairs, sure: Floats, weights: Floats) -> dict[str, float]:
    """All figures; `weights` says how often each pair counts (the bootstrap's resampled tasks)."""
    shuffled = np.random.default_rng(0).permutation(len(sure))  # pairs of equal confidence in random order
    order = shuffled[np.argsort(-sure[shuffled], kind="stable")]
    right, sure, weights = found.right[order], sure[order], weights[order]
    mixed = np.where(found.mixed[order], weights, 0.0)
    result = {
        "chosen": _mean(found.chosen[order], mixed),
        "rejected": _mean(found.rejected[order], mixed),
        "pair": _mean(right, mixed),
        "all": _mean(right, weights),
        "auc": area(right, weights),
        "auc mixed": area(right, mixed),
        "ece": calibration_error(right, sure, weights),
    }
    reached = np.cumsum(mixed) / max(mixed.sum(), 1.0)
    return result | {f"p{share * 100:.0f}": _mean(right, mixed * (reached <= share + 1e-9)) for share in YIELDS}


def _mean(values: NDArray[Any], weights: Floats) -> float:
    return float((values * weights).sum() / weights.sum()) if weights.sum() else float("nan")


def area(right: NDArray[np.bool_], weights: Floats) -> float:
    """Probability that a right pair comes before a wrong one, in the order given."""
    wrong_after = (~right * weights).sum() - np.cumsum(~right * weights)
    total = (right * weights).sum() * (~right * weights).sum()
    return float((right * weights * wrong_after).sum() / total) if total else float("nan")


def calibration_error(right: NDArray[np.bool_], sure: Floats, weights: Floats) -> float:
    """How far ten equal bins of confidence are from the share of right pairs in them, on average over pairs."""
    bins = np.minimum((sure * 10).astype(int), 9)
    gaps = [abs(((right - sure) * weights)[bins == number].sum()) for number in range(10)]
    return float(sum(gaps) / weights.sum()) if weights.sum() else float("nan")


def intervals(found: Pairs, sure: Floats, tasks: int, rounds: int = 500) -> dict[str, tuple[float, float]]:
    """95 % intervals of all figures: tasks are drawn again with replacement."""
    rng = np.random.default_rng(1)
    counts = (rng.multinomial(tasks, np.full(tasks, 1 / tasks)) for _ in range(rounds))
    results = [measure(found, sure, count[found.task].astype(np.float64)) for count in counts]
    return {key: _span([row[key] for row in results]) for key in results[0]}


def _span(values: Sequence[float]) -> tuple[float, float]:
    known = [value for value in values if not np.isnan(value)]
    low, high = np.percentile(known, [2.5, 97.5]) if known else (np.nan, np.nan)
    return float(low), float(high)


def report(tasks: Sequence[label_matrix.Task], arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One row a ranking."""
    draws = draw(tasks, arguments)
    for name in arguments.rankings.split(","):
        found = pairs(name, draws, arguments.seed, arguments.ties)
        sure = found.confidence()
        row: dict[str, Any] = {"ranking": name, "yield": len(found.task) / found.draws, "mixed": int(found.mixed.sum())}
        row |= measure(found, sure, np.ones(len(sure)))
        row["intervals"] = intervals(found, sure, len(tasks))
        yield row


def line(row: dict[str, Any]) -> str:
    """A table row: figures in per cent (AUC and ECE as they are), intervals below each other."""
    cells = [row["ranking"]]
    for key in COLUMNS:
        scale, form = (1, "{:.2f}") if key.startswith(("auc", "ece")) else (100, "{:.0f}")
        text = form.format(row[key] * scale).replace("nan", "-")
        if text != "-" and key in WITH_INTERVAL:
            text += " [" + "-".join(form.format(bound * scale) for bound in row["intervals"][key]) + "]"
        cells.append(text)
    return "| " + " | ".join(cells) + " |"


def tasks_of(arguments: argparse.Namespace) -> list[label_matrix.Task]:
    """The tasks asked for; the cache is made where it does not exist."""
    if not arguments.cache.exists():
        source = {"codet": label_matrix.codet, "agentcoder": label_matrix.agentcoder}[arguments.set]
        made = list(label_matrix.run(source(arguments.data), arguments.workers))
        pq.write_table(to_table(made, label_matrix.Task), arguments.cache, compression="zstd")
    tasks = label_matrix.load(arguments.cache)
    return [task for task in tasks if arguments.tasks in ("all", "held" if is_held(task.task_id) else "tuned")]


def parser_of(description: str) -> argparse.ArgumentParser:
    """The options that say what is drawn."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("cache", type=Path, help="file of matrices; made if it is not there")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--set", choices=label_matrix.SETS, default="codet", help="what a new cache is made of")
    parser.add_argument("--workers", type=int, default=2, help="sandboxes for a new cache")
    parser.add_argument("--tasks", choices=("tuned", "held", "all"), default="tuned")
    parser.add_argument("--truth", choices=("passed", "plus"), default="passed")
    parser.add_argument("--codes", type=int, default=15)
    parser.add_argument("--tests", type=int, default=15)
    parser.add_argument("--first", type=int, default=5, help="asserts of an answer that count")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    return parser


def main() -> None:
    """Command line."""
    parser = parser_of((__doc__ or "").splitlines()[0])
    parser.add_argument("--ties", choices=TIES, default="lot", help="which of equally scored codes")
    parser.add_argument("--rankings", default=",".join(ranking.NAMES))
    arguments = parser.parse_args()
    tasks = tasks_of(arguments)
    rows = list(report(tasks, arguments))
    mixed = max(row["mixed"] for row in rows)
    print(f"{arguments.tasks} tasks: {len(tasks)}; {arguments.draws} draws each, up to {mixed} pairs from mixed draws")
    print("| ranking | " + " | ".join(COLUMNS) + " |\n|" + "---|" * (len(COLUMNS) + 1))
    for row in rows:
        print(line(row))
    settings = {key: str(value) if isinstance(value, Path) else value for key, value in vars(arguments).items()}
    print(json.dumps(settings | {"rows": rows}).replace("NaN", "null"))


if __name__ == "__main__":
    main()
