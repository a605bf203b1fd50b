"""How good DSTC's picks are: every selection on published generations whose truth is known.

    python -m benchmarks.dstc_quality CACHE.parquet [--tasks held] [--codes 10 --tests 10] [--truth plus]

CACHE is `label_quality`'s file of matrices; beside it lies CACHE.tests.parquet, made from --data where it does not
exist: whether the reference solution, and a function returning None, passes each test (15,000 executions).

Protocol: the draws, halves of tasks, truths and intervals of `benchmarks/label_quality.py`, of which this is the DSTC
part. Codes of a draw with equal syntax trees count once and tests that a function returning None passes are dropped,
but in the rows `as published` and `all kept`. `yield` is the share of draws that give a pair. All other figures are
over the pairs of mixed draws (with a right and a wrong code): `chosen code` right, `rejected code` wrong, both
(`pair`), `chosen test` and `rejected test` valid (the reference solution passes), `same` code on both sides. `gain` is
`chosen code` minus that of `minimax`, its interval from the same resampled tasks.
"""

import argparse
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks import label_matrix
from benchmarks.label_quality import drawn, matrix, parser_of, tasks_of, truth
from builders.chain import ranking
from builders.chain.evidence import MatrixStack
from builders.chain.matrix import STUB
from builders.dstc import minimax
from builders.dstc.pairs import AnswerPairRule, select_picks
from codepref import extract
from codepref.records import Candidate, Test, content_id, from_table, to_table
from codepref.sandbox import Job, Limits, execute

COLUMNS = ("yield", "chosen code", "rejected code", "pair", "chosen test", "rejected test", "same")
ROUNDS = 1000
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Checked:
    """What is known about the tests of one task."""

    task_id: str
    valid: tuple[bool, ...]
    """Whether the reference solution passes."""
    vacuous: tuple[bool, ...]
    """Whether a function returning None passes."""


@dataclass(frozen=True)
class Draw:
    """Codes and tests of one draw, after repeated codes and vacuous tests were taken out (or not)."""

    task: int
    evidence: MatrixStack
    """Of one prompt."""
    codes: tuple[Candidate, ...]
    tests: tuple[Test, ...]
    right: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    mixed: bool
    """Whether the draw, before anything was taken out, holds a right and a wrong code."""


@dataclass(frozen=True)
class Variant:
    """One row of the grid."""

    name: str
    rule: AnswerPairRule
    by: ranking.Name = "pass_count"
    raw: bool = False
    """Repeated codes and vacuous tests stay."""
    lot: bool = False
    """Ties by lot."""


def grid() -> list[Variant]:
    """The selections that are compared; gains are over the row `minimax`."""
    plain, best = AnswerPairRule(""), AnswerPairRule("", "ranked", "median")
    by_name: list[ranking.Name] = ["self_validation", "dual_agreement", "output_consensus", "combined"]
    return [
        Variant("random", AnswerPairRule("", "random")),
        Variant("minimax as published, ties by lot", plain, raw=True, lot=True),
        Variant("minimax", plain),
        Variant("minimax, code only", replace(plain, concatenate=False, same_code="drop")),
        Variant("minimax, 2 must pass", replace(plain, min_passing=2)),
        Variant("minimax, ties median", replace(plain, ties="median")),
        *(Variant(f"ranked: {name}", replace(plain, selection="ranked"), name) for name in by_name),
        Variant("best.yaml (ranked: combined, ties median)", best, "combined"),
        Variant("best.yaml, all kept", best, "combined", raw=True),
        Variant("best.yaml, code only", replace(best, concatenate=False, same_code="drop"), "combined"),
        Variant("best.yaml, 2 must pass", replace(best, min_passing=2), "combined"),
        Variant("best.yaml, 3 must pass", replace(best, min_passing=3), "combined"),
    ]


def checked(tasks: Sequence[label_matrix.Task], path: Path, data: Path, workers: int) -> dict[str, Checked]:
    """What is known about the tests, by task; the file is made where it does not exist."""
    if not path.exists():
        made = list(_check(tasks, data, workers))
        pq.write_table(to_table(made, Checked), path, compression="zstd")
    return {row.task_id: row for row in from_table(pq.read_table(path), Checked)}


def _check(tasks: Sequence[label_matrix.Task], data: Path, workers: int) -> Iterator[Checked]:
    with gzip.open(data / "benchmarks/HumanEval.jsonl.gz", "rt", encoding="utf-8") as lines:
        solutions = {row["task_id"]: row["prompt"] + row["canonical_solution"] for row in map(json.loads, lines)}
    right = [solutions[task.task_id] for task in tasks]
    empty = [STUB.format(task.entry_point) for task in tasks]
    # apart: beside a solution the stub would be evidence that a test is quick
    for task, valid, vacuous in zip(tasks, _passes(tasks, right, workers), _passes(tasks, empty, workers), strict=True):
        yield Checked(task.task_id, valid, vacuous)


def _passes(tasks: Sequence[label_matrix.Task], codes: Sequence[str], workers: int) -> list[tuple[bool, ...]]:
    jobs = (Job(task.task_id, (code,), task.tests, task.entry_point) for task, code in zip(tasks, codes, strict=True))
    found = execute(jobs, Limits(), workers=workers)
    return [tuple(cell.verdict == "passed" for cell in matrix.cells[0]) for matrix in found]


def draws(
    tasks: Sequence[label_matrix.Task], known: Mapping[str, Checked], arguments: argparse.Namespace, raw: bool
) -> list[Draw]:
    """All draws; `raw` leaves repeated codes and vacuous tests in."""
    result = []
    for number, task in enumerate(tasks):
        passed, outputs = matrix(task)
        right, checks = truth(task, arguments), known[task.task_id]
        programs = [_candidate(task, row) for row in range(len(task.programs))]
        tests = [Test(content_id(task.task_id, text), text, 0, None) for text in task.tests]
        shapes = np.array([extract.shape(program) for program in task.programs])
        for samples, columns in drawn(task, arguments):
            mixed = bool(right[samples].any() and not right[samples].all())
            rows = np.array(task.rows)[samples]
            if not raw:
                first = np.sort(np.unique(shapes[rows], return_index=True)[1])
                samples, rows = samples[first], rows[first]  # noqa: PLW2901
                columns = columns[~np.array(checks.vacuous)[columns]]  # noqa: PLW2901
            cells = np.ix_(rows, columns)
            evidence = MatrixStack(passed[cells][None], outputs[cells][None])
            mine = tuple(programs[row] for row in rows), tuple(tests[column] for column in columns)
            result.append(Draw(number, evidence, *mine, right[samples], np.array(checks.valid)[columns], mixed))
    return result


def _candidate(task: label_matrix.Task, row: int) -> Candidate:
    program = task.programs[row]
    return Candidate(content_id(task.task_id, program), program, row, None, extract.node_count(program))


def picked(variant: Variant, draw: Draw) -> minimax.Picks | None:
    """What a variant picks from a draw; None where it gives no pair."""
    passed = draw.evidence.passed[0]
    if len(draw.codes) < 2 or not len(draw.tests):
        return None
    if variant.lot:
        picks = minimax.minimax(passed)  # codes and tests of a draw come in random order: the first is a lot
    else:
        scores = np.round(ranking.rank(variant.by, draw.evidence)[0][0], 12)
        picks = select_picks(variant.rule, draw.tests, draw.codes, passed, scores.tolist())
    if isinstance(picks, str) or (picks.same_code and variant.rule.same_code == "drop"):
        return None
    return picks


def facts(variant: Variant, draws: Sequence[Draw]) -> Floats:
    """One row a draw: mixed, gives a pair, then the columns from `chosen code` on (0 where there is no pair)."""
    rows = np.zeros((len(draws), 2 + len(COLUMNS) - 1))
    for row, draw in zip(rows, draws, strict=True):
        picks = picked(variant, draw)
        row[0] = draw.mixed
        if picks is not None:
            chosen, rejected = draw.right[picks.chosen_code], not draw.right[picks.rejected_code]
            valid = draw.valid[picks.chosen_test], draw.valid[picks.rejected_test]
            row[1:] = (1, chosen, rejected, chosen and rejected, *valid, picks.same_code)
    return rows


def measure(rows: Floats, weights: Floats) -> Floats:
    """The figures of `COLUMNS`; `weights` says how often each draw counts."""
    pairs = rows[:, 0] * rows[:, 1] * weights
    return np.array([(rows[:, 1] * weights).sum() / weights.sum(), *(pairs @ rows[:, 2:] / max(pairs.sum(), 1))])


def intervals(rows: Floats, baseline: Floats, task: NDArray[np.int64], tasks: int) -> tuple[Floats, Floats]:
    """95 % intervals of all figures and of the gain, shapes (2, figures) and (2,): tasks drawn with replacement."""
    rng = np.random.default_rng(1)
    found = []
    for count in (rng.multinomial(tasks, np.full(tasks, 1 / tasks)) for _ in range(ROUNDS)):
        weights = count[task].astype(np.float64)
        mine, base = measure(rows, weights), measure(baseline, weights)
        found.append([*mine, mine[1] - base[1]])
    spans = np.percentile(np.array(found), [2.5, 97.5], axis=0)
    return spans[:, :-1], spans[:, -1]


def report(tasks: Sequence[label_matrix.Task], known: Mapping[str, Checked], arguments: argparse.Namespace):
    """One row a variant."""
    cleaned, raw = (draws(tasks, known, arguments, raw) for raw in (False, True))
    task = np.array([draw.task for draw in cleaned])
    found = {variant.name: facts(variant, raw if variant.raw else cleaned) for variant in grid()}
    weights = np.ones(len(task))
    baseline = found["minimax"]
    for name, rows in found.items():
        figures = measure(rows, weights)
        spans, gain = intervals(rows, baseline, task, len(tasks))
        yield {
            "selection": name,
            "mixed pairs": int((rows[:, 0] * rows[:, 1]).sum()),
            **dict(zip(COLUMNS, figures.tolist(), strict=True)),
            "gain": float(figures[1] - measure(baseline, weights)[1]),
            "intervals": dict(zip((*COLUMNS, "gain"), [*spans.T.tolist(), gain.tolist()], strict=True)),
        }


def line(row: Mapping[str, Any]) -> str:
    """A table row in per cent; intervals where they matter."""
    cells = [row["selection"]]
    for key in (*COLUMNS, "gain"):
        sign = "+" if key == "gain" else ""
        text = f"{100 * row[key]:{sign}.0f}"
        if key in ("chosen code", "chosen test", "gain"):
            low, high = row["intervals"][key]
            text += f" [{100 * low:{sign}.0f} to {100 * high:{sign}.0f}]"
        cells.append(text)
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Command line."""
    arguments = parser_of((__doc__ or "").splitlines()[0]).parse_args()
    tasks = tasks_of(arguments)
    beside = arguments.cache.with_suffix(".tests.parquet")
    known = checked(label_matrix.load(arguments.cache), beside, arguments.data, arguments.workers)
    rows = list(report(tasks, known, arguments))
    print(f"{arguments.tasks} tasks: {len(tasks)}; {arguments.draws} draws each")
    print("| selection | " + " | ".join((*COLUMNS, "gain")) + " |\n|" + "---|" * (len(COLUMNS) + 2))
    for row in rows:
        print(line(row))
    settings = {key: str(value) if isinstance(value, Path) else value for key, value in vars(arguments).items()}
    print(json.dumps(settings | {"rows": rows}))


if __name__ == "__main__":
    main()
