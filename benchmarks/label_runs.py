"""The matrices of a finished CodeDPO run whose truth is known, as a cache for `label_quality` and `label_confidence`.

    python -m benchmarks.label_runs RUN CACHE.parquet --truth tiny
    python -m benchmarks.label_runs RUN CACHE.parquet --truth TRUTH.jsonl

`tiny`: the run's prompts are tasks of the tiny model's family, which bring hidden tests. TRUTH.jsonl has lines
{"prompt_id", "tests"}, as `benchmarks.real_model prompts` writes them for MBPP. A code is right when it passes all its
prompt's tests.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.label_matrix import Task
from codepref.commands.experiment.measured import CPU_S, MEMORY_MB, read_truth
from codepref.inspection import run as inspection
from codepref.records import to_table
from codepref.sandbox import Job, Limits, execute
from codepref.store import Stage


def tasks(run: Path, truth: str, workers: int) -> Iterator[Task]:
    """The prompts of a run with their matrix; both kinds of truth are the same here.

    Args:
        run: Folder of the finished run.
        truth: `tiny`, or a file of hidden tests.
        workers: Sandboxes.

    Raises:
        CodeprefError: the run is not finished, or the file of hidden tests can not be read.
    """
    found = inspection.read_run(run)
    candidates, outcomes = (_by_prompt(stage) for stage in found.inputs(found.stage("pairs"))[:2])
    rows = [candidates[name] for name in outcomes]
    right = _tiny(rows) if truth == "tiny" else _hidden(rows, Path(truth), workers)
    for row, codes_right in zip(rows, right, strict=True):
        matrix = outcomes[row["prompt_id"]]
        programs = tuple(code["code"] for code in row["codes"])
        judged = np.array(["unjudged" not in line for line in matrix["verdicts"]])
        yield Task(
            row["prompt_id"],
            row["entry_point"],
            programs,
            tuple(np.where(judged, np.arange(len(programs)), -1).tolist()),
            tuple(codes_right.tolist()),
            tuple(codes_right.tolist()),
            tuple(test["test"] for test in row["tests"]),
            (0,) * len(row["tests"]),
            tuple(map(tuple, matrix["verdicts"])),
            tuple(map(tuple, matrix["fingerprints"])),
        )


def _by_prompt(stage: Stage) -> dict[str, dict[str, Any]]:
    tables = (stage.read(index) for index in range(len(stage.shards())))
    return {row["prompt_id"]: row for table in tables for row in table.to_pylist()}


def _tiny(rows: list[dict[str, Any]]) -> list[NDArray[np.bool_]]:
    from evaluation.tiny import right

    return right([(row["prompt"], [code["code"] for code in row["codes"]]) for row in rows])


def _hidden(rows: list[dict[str, Any]], path: Path, workers: int) -> list[NDArray[np.bool_]]:
    hidden = read_truth(path)
    jobs = (
        Job(
            row["prompt_id"],
            tuple(code["code"] for code in row["codes"]),
            tuple(hidden[row["prompt_id"]]),
            row["entry_point"],
        )
        for row in rows
    )
    limits = Limits(cpu_s=CPU_S, memory_mb=MEMORY_MB)
    return [
        np.array([all(cell.verdict == "passed" for cell in line) for line in matrix.cells])
        for matrix in execute(jobs, limits, workers=workers)
    ]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a finished CodeDPO run")
    parser.add_argument("cache", type=Path, help="file to write")
    parser.add_argument("--truth", required=True, help="tiny, or a file of hidden tests")
    parser.add_argument("--workers", type=int, default=2, help="sandboxes")
    arguments = parser.parse_args()
    made = list(tasks(arguments.run, arguments.truth, arguments.workers))
    pq.write_table(to_table(made, Task), arguments.cache, compression="zstd")
    right = np.mean([np.mean(task.passed) for task in made])
    print(f"{len(made)} prompts, {100 * right:.0f} % of the codes right -> {arguments.cache}")


if __name__ == "__main__":
    main()
