"""Prompts from MBPP's training part, and the truth about programs that were written for them.

    python -m benchmarks.mbpp_train MBPP_FILE PROMPTS_FILE [--n 100]

MBPP (Austin et al., arXiv 2108.07732, CC-BY-4.0) numbers its training part 601 to 974; its test part, which models are
graded on, 11 to 510. A prompt shows the function's header and the task's sentence. The task's assertions are never
shown: a program is right when it passes all of them.
"""

import argparse
import ast
import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codepref.sandbox import Limits, execute

TRAINING = range(601, 975)
LIMITS = Limits(cpu_s=2.0, memory_mb=1024)


@dataclass(frozen=True)
class Problem:
    """One task."""

    prompt_id: str
    prompt: str
    entry_point: str
    asserts: tuple[str, ...]
    reference: str


def problems(path: Path) -> list[Problem]:
    """All tasks of the training part that one function of plain arguments answers, by number."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [found for row in rows if row["task_id"] in TRAINING for found in _problem(row)]


def _problem(row: dict[str, Any]) -> Iterator[Problem]:
    """The task, unless its assertions need classes, set-up code or two functions."""
    code = row["code"].replace("\r\n", "\n")
    tree = ast.parse(code)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    called = {name for text in row["test_list"] for name in _calls(text) if name in functions}
    if classes or row["test_setup_code"] or len(called) != 1:
        return
    name = called.pop()
    header = f"def {name}({ast.unparse(functions[name].args)}):"
    prompt = f'{header}\n    """{row["text"].strip()}"""\n'
    yield Problem(f"training-{row['task_id']}", prompt, name, tuple(row["test_list"]), code)


def _calls(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


def right(problem: Problem, codes: Sequence[str]) -> list[bool]:
    """Whether each program passes all of the task's assertions."""
    found = execute(list(codes), list(problem.asserts), entry_point=problem.entry_point, limits=LIMITS)
    return [bool(row.all()) for row in found.passed]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("mbpp", type=Path, help="mbpp.jsonl.gz")
    parser.add_argument("out", type=Path, help="file of prompts")
    parser.add_argument("--n", type=int, help="only the first N")
    arguments = parser.parse_args()
    kept = problems(arguments.mbpp)[: arguments.n]
    rows = [{"prompt_id": each.prompt_id, "prompt": each.prompt, "entry_point": each.entry_point} for each in kept]
    arguments.out.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    print(f"{len(rows)} prompts in {arguments.out}")


if __name__ == "__main__":
    main()
