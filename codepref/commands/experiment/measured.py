"""What is counted between the commands of an experiment: right pairs, scores, gains."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from codepref.commands.experiment.file import BASE
from codepref.commands.options import cores
from codepref.errors import CodeprefError
from codepref.files import LineError, good_lines
from codepref.stdin import text_of

CPU_S, MEMORY_MB = 2.0, 1024
"""Limits of a program on the hidden tests."""


def read_truth(path: Path) -> dict[str, tuple[str, ...]]:
    """Hidden tests by prompt: JSON lines {"prompt_id", "tests"}.

    Raises:
        CodeprefError: a line is not so.
    """
    found: dict[str, tuple[str, ...]] = {}
    for number, row in good_lines(path):
        name, tests = str(row.get("prompt_id", "")), row.get("tests")
        if not name or not isinstance(tests, list):
            raise CodeprefError(f'{path}:{number}: not {{"prompt_id": TEXT, "tests": [TEST, ...]}}; write it so')
        if not tests:
            raise CodeprefError(f"{path}:{number}: no tests for {name}; leave the line out")
        if name in found:
            raise CodeprefError(f"{path}:{number}: tests for {name} stand above already; put all into one line")
        try:
            found[name] = tuple(text_of(test, "a test") for test in tests)
        except LineError as error:
            raise CodeprefError(f"{path}:{number}: {error.problem}; {error.remedy}") from None
    if not found:
        raise CodeprefError(f"{path}: no tests; leave truth out")
    return found


def keep_labels(root: Path, *, names: Sequence[str], truth: Path) -> dict[str, Any]:
    """How many pairs of each dataset are right by the hidden tests: chosen passes all of them, rejected does not."""
    from codepref.intervals import bootstrap

    hidden = read_truth(truth)
    labels: dict[str, Any] = {}
    for name in names:
        pairs = [row for row in paired_rows(root / name) if row["prompt_id"] in hidden]
        judged = judged_pairs(pairs, hidden)
        right = [chosen and not rejected for chosen, rejected in judged]
        inverted = [rejected and not chosen for chosen, rejected in judged]
        share, low, high = bootstrap(right)
        labels[name] = {
            "pairs": len(pairs), "right": share, "low": low, "high": high,
            "inverted": sum(inverted) / max(len(pairs), 1),
        }  # fmt: skip
        print(f"{name}: {share:.0%} [{low:.0%}, {high:.0%}] of {len(pairs)} pairs are right")
    return {"labels": labels}


def paired_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """The pairs of a dataset: of its first config that has a chosen side.

    Raises:
        CodeprefError: there is none.
    """
    from codepref.inspection.run import read_run
    from codepref.report.facts import dataset_rows

    run = read_run(folder)
    for config in run.manifest["dataset"] if run.manifest else ():
        rows = dataset_rows(run, config)
        first = next(rows, None)
        if first is not None and "chosen" in first:
            yield first
            yield from rows
            return


def judged_pairs(rows: Sequence[dict[str, Any]], hidden: Mapping[str, tuple[str, ...]]) -> list[tuple[bool, bool]]:
    """Whether the programs of each pair, chosen and rejected, pass all hidden tests of their prompt."""
    from codepref.sandbox import Job, Limits, execute

    jobs = [
        Job(str(number), tuple(dict.fromkeys(_programs(row))), hidden[row["prompt_id"]], row.get("entry_point"))
        for number, row in enumerate(rows)
    ]
    found = []
    for matrix in execute(jobs, Limits(cpu_s=CPU_S, memory_mb=MEMORY_MB), workers=cores()):
        chosen, rejected = matrix.cells[0], matrix.cells[-1]
        found.append((_all_pass(chosen), _all_pass(rejected)))
    return found


def _all_pass(cells: Sequence[Any]) -> bool:
    return all(cell.verdict == "passed" for cell in cells)


def _programs(row: dict[str, Any]) -> tuple[str, ...]:
    """Chosen and rejected program; of answers with a code and a test, the codes."""
    if "chosen_code_index" in row:
        return tuple(row["codes"][row[f"{side}_code_index"]] for side in ("chosen", "rejected"))
    return row["chosen"], row["rejected"]


def keep_scores(root: Path, *, models: Sequence[str]) -> dict[str, Any]:
    """Scores of these models by benchmark and way, and what each adapter gained over the base, paired by task."""
    from evaluation import compare

    told: dict[str, Any] = {"scores": [], "gains": []}
    for path in sorted((root / "evaluation").glob("*/*/*/results.json")):
        model, way, benchmark = path.parts[-4:-1]
        if model not in models:
            continue  # trained once, and not in this experiment any more
        found = json.loads(path.read_text(encoding="utf-8"))
        where = {"model": model, "way": way, "benchmark": benchmark}
        told["scores"].append({**where, **_score(found), "failures": found["errors"]})
        base = root / "evaluation" / BASE / way / benchmark
        if model != BASE and (base / "results.json").exists():
            pair = compare.compare_runs(base, path.parent)
            kept = {key: pair[key] for key in ("problems", "difference", "low", "high", "mcnemar_p")}
            told["gains"].append({**where, **kept, "won": len(pair["wins"]), "lost": len(pair["losses"])})
    return told


def _score(found: dict[str, Any]) -> dict[str, Any]:
    """pass@1 in points with its interval, and what it was measured on."""
    score = found["score"]["pass@1"]
    points = {key: 100 * score[key] for key in ("value", "low", "high")}
    return {**points, "problems": found["problems"], "n": found["samples"] // found["problems"]}
