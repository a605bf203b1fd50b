"""Turns CodeT's published generations into a recordings file for `codepref build`.

    python benchmarks/codet_humaneval.py DATA OUT.jsonl.gz [--codes 100] [--tests 100]

DATA is a folder with `solutions.jsonl.gz` and `generated_tests.jsonl.gz`: samples of CodeGen-Mono-16B for HumanEval
tasks (Chen et al., CodeT, arXiv 2207.10397; MIT). The prompts are a benchmark's: datasets built from them are for
measuring only.
"""

import argparse
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
"""CodeT's rule: a completion ends before the first of these. The known verdicts of the samples were made with it."""

SOURCE = "HumanEval (Chen et al. 2021), a benchmark: for measuring only"
GENERATOR = "Salesforce/codegen-16B-mono (temperature 0.8, top-p 0.95; samples published with CodeT)"


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a gzipped JSON-lines file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def cut(completion: str) -> str:
    """The completion up to the first stop text."""
    return completion[: min((at for stop in STOPS if (at := completion.find(stop)) >= 0), default=len(completion))]


def asserts(text: str) -> list[str]:
    """The assert statements of an answer to a prompt that ends in `assert `."""
    chunks = re.split(r"^\s*assert\b", "assert " + text, flags=re.MULTILINE)
    return [f"assert {chunk.strip()}" for chunk in chunks if chunk.strip()]


def convert(data: Path, codes: int, tests: int) -> Iterator[dict[str, Any]]:
    """One recording a task: the first `codes` completions and the first `tests` answers with tests."""
    answers = {row["task_id"]: row["samples"] for row in read(data / "generated_tests.jsonl.gz")}
    for row in read(data / "solutions.jsonl.gz"):
        found = ["\n".join(asserts(sample)) for sample in answers[row["task_id"]][:tests]]
        yield {
            "prompt_id": row["task_id"],
            "prompt": row["prompt"],
            "entry_point": row["entry_point"],
            "codes": [cut(sample) for sample in row["samples"][:codes]],
            "tests": [text for text in found if text],
            "source": SOURCE,
            "licence": "MIT",
            "generator": GENERATOR,
        }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--codes", type=int, default=100)
    parser.add_argument("--tests", type=int, default=100)
    arguments = parser.parse_args()
    opened = gzip.open if arguments.out.suffix == ".gz" else open
    with opened(arguments.out, "wt", encoding="utf-8") as out:
        count = 0
        for row in convert(arguments.data, arguments.codes, arguments.tests):
            out.write(json.dumps(row) + "\n")
            count += 1
    print(f"{count} tasks -> {arguments.out}")


if __name__ == "__main__":
    main()
