"""Saved samples: EvalPlus' and BigCodeBench's JSON lines in and out, and HumanEval's.

A line has `task_id` and either `solution` (a whole program, or a model's answer) or `completion` (what follows the
prompt). DS-1000's lines have `metadata.problem_id` or `id`, and `code`. Several lines of one task are its samples, in
order.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from codepref import extract
from codepref.errors import CodeprefError
from codepref.files import read_rows, write_whole
from evaluation.benchmark import Benchmark, Problem

EXTRACTOR = "codepref-1"
"""Version of the rules that take a program out of a text; part of the fingerprint."""


@dataclass(frozen=True)
class Sample:
    """One answer to one problem: the text as it came, and the program that is run."""

    task_id: str
    index: int
    raw: str
    program: str


def read(
    path: Path, benchmark: Benchmark, problems: Sequence[Problem], clean: bool = False, skip_unknown: bool = False
) -> list[Sample]:
    """Samples of a file, in the order of the problems.

    Args:
        path: JSON lines.
        benchmark: Whose samples they are.
        problems: Its problems; every line must name one of them.
        clean: Take the program out of each text first (fences, prose, usage examples).
        skip_unknown: Leave lines of other tasks out, where only some problems are graded.

    Raises:
        CodeprefError: A line that is not JSON, names no known task, or holds no text; the file and line are named.
    """
    known = {problem.task_id: problem for problem in problems}
    found: dict[str, list[Sample]] = {}
    for number, row in read_rows(path):
        where = f"{path}:{number}"
        problem = known.get(_task(row))
        if problem is None and skip_unknown:
            continue
        if problem is None:
            raise CodeprefError(f"{where}: {_task(row)!r} is no task of {benchmark.name}; remove the line")
        raw, whole = _text(row, where)
        text = raw
        samples = found.setdefault(problem.task_id, [])
        if clean and not benchmark.bare:
            text = cleaned(text, problem)
        elif whole is False and not benchmark.bare:
            text = problem.prompt + text
        program = text if whole is True and not benchmark.framed else benchmark.program(problem, text)
        samples.append(Sample(problem.task_id, len(samples), raw, program))
    if not found:
        raise CodeprefError(f"{path}: no samples; one JSON object a line with task_id and solution or completion")
    return [sample for problem in problems for sample in found.get(problem.task_id, [])]


def _task(row: dict[str, object]) -> str:
    metadata = row.get("metadata")
    number = metadata.get("problem_id") if isinstance(metadata, dict) else None
    return str(
        next((v for v in (row.get("task_id"), number, row.get("problem_id"), row.get("id")) if v is not None), "")
    )


def _text(row: dict[str, object], where: str) -> tuple[str, bool | None]:
    """The text of a line, and whether it is a whole program (None: the benchmark decides)."""
    for key, whole in (("solution", True), ("completion", False), ("code", None), ("answer", None)):
        value = row.get(key)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, str):
            return value, whole
    raise CodeprefError(f"{where}: neither 'solution' nor 'completion' holds a text")


def is_program(text: str, entry_point: str) -> bool:
    """True if a text defines the entry point itself."""
    return any(line.startswith((f"def {entry_point}", f"async def {entry_point}")) for line in text.splitlines())


def cleaned(text: str, problem: Problem) -> str:
    """The program in a model's answer, by the rules of builders and training; the text itself if there is none."""
    found = extract.code(text, problem.prompt, problem.entry_point)
    return text if isinstance(found, extract.Rejected) else found


def write(folder: Path, name: str, samples: Iterable[Sample]) -> None:
    """Writes `NAME.jsonl` (programs) and `NAME.raw.jsonl` (texts), as EvalPlus and BigCodeBench take them."""
    kept = list(samples)
    for suffix, field in ((".jsonl", "program"), (".raw.jsonl", "raw")):
        lines = [json.dumps({"task_id": s.task_id, "solution": getattr(s, field)}, ensure_ascii=False) for s in kept]
        whole(folder / f"{name}{suffix}", "".join(f"{line}\n" for line in lines))


def whole(path: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode())
