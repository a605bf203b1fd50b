"""Adds what examples say to a cache of matrices: tests of known truth that a prompt brings along.

    python -m benchmarks.label_examples CACHE.parquet OUT.parquet [--data ../shared/data]
    python -m benchmarks.label_examples CACHE.parquet OUT.parquet --truth TRUTH.jsonl

Without --truth the examples are those in HumanEval's own prompts. CodeT took them out before CodeGen-16B was asked, so
its samples know nothing of them; gpt-3.5 has seen them. With --truth (lines {"prompt_id", "tests"}) the example is the
first of a prompt's hidden tests, as a user who knows one value may give it under `examples`. Either way truth contains
the examples, so a code that fails one is wrong by it, unless the prompt's text is wrong.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks import label_matrix
from benchmarks.codet_humaneval import read
from codepref import extract
from codepref.commands.experiment.measured import read_truth
from codepref.records import to_table
from codepref.sandbox import Job, Limits, execute


def of_humaneval(data: Path) -> dict[str, tuple[str, ...]]:
    """The examples in HumanEval's prompts, by task."""
    rows = read(data / "benchmarks/HumanEval.jsonl.gz")
    return {row["task_id"]: tuple(extract.examples(row["prompt"], row["entry_point"])) for row in rows}


def with_examples(
    tasks: Sequence[label_matrix.Task], examples: Mapping[str, Sequence[str]], workers: int
) -> Iterator[label_matrix.Task]:
    """The tasks with the verdicts of their programs on the examples."""
    told = [task for task in tasks if examples.get(task.task_id)]
    jobs = (Job(task.task_id, task.programs, tuple(examples[task.task_id]), task.entry_point) for task in told)
    found = {matrix.job_id: matrix.cells for matrix in execute(jobs, Limits(), workers=workers)}
    for task in tasks:
        lines = found.get(task.task_id, [()] * len(task.programs))
        yield replace(task, examples=tuple(tuple(cell.verdict for cell in cells) for cells in lines))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cache", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--truth", type=Path, help="hidden tests, of which the first is taken")
    parser.add_argument("--workers", type=int, default=1, help="sandboxes")
    arguments = parser.parse_args()
    if arguments.truth:
        examples = {name: tests[:1] for name, tests in read_truth(arguments.truth).items()}
    else:
        examples = of_humaneval(arguments.data)
    tasks = list(with_examples(label_matrix.load(arguments.cache), examples, arguments.workers))
    pq.write_table(to_table(tasks, label_matrix.Task), arguments.out, compression="zstd")
    cells = sum(len(cells) for task in tasks for cells in task.examples)
    with_any = sum(any(task.examples) for task in tasks)
    print(f"{with_any} of {len(tasks)} tasks have examples, {cells} cells -> {arguments.out}")


if __name__ == "__main__":
    main()
