"""Saved samples: EvalPlus' and BigCodeBench's JSON lines in and out, and HumanEval's.

A line has `task_id` and either `solution` (a whole program, or a model's answer) or `completion` (what follows the
prompt). DS-1000's lines have `metadata.problem_id` or `id`, and `code`. Several lines of one task are its samples, in
order.
"""

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codepref import extract
from codepref.errors import CodeprefError
from codepref.files import read_rows, write_whole
from codepref.sandbox import Sandbox
from evaluation.benchmark import Benchmark, Problem, Settings

EXTRACTOR = "codepref-2"
"""Version of the rules that take a program out of a text; part of the fingerprint."""


@dataclass(frozen=True)
class GradedSample:
    """One answer to one problem: the text as it came, and the program that is run."""

    task_id: str
    index: int
    raw: str
    program: str
    rule: str = ""
    """How the program was found in the text, or why none was (`codepref.extract`); empty where nobody looked."""


def read_samples(
    path: Path,
    benchmark: Benchmark,
    problems: Sequence[Problem],
    clean: bool = False,
    skip_unknown: bool = False,
    settings: Settings = Settings(),  # noqa: B008 - frozen
) -> list[GradedSample]:
    """Samples of a file, in the order of the problems.

    Args:
        path: JSON lines.
        benchmark: Whose samples they are.
        problems: Its problems; every line must name one of them.
        clean: Take the program out of each text first (fences, prose, usage examples).
        skip_unknown: Leave lines of other tasks out, where only some problems are graded.
        settings: Where programs are loaded if reading alone can not tell usage from what they need.

    Raises:
        CodeprefError: A line that is not JSON, names no known task, or holds no text; the file and line are named.
    """
    known = {problem.task_id: problem for problem in problems}
    found: dict[str, list[GradedSample]] = {}
    texts = list[tuple[Problem, str]]()
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
            texts.append((problem, text))
        elif whole is False and not benchmark.bare:
            text = problem.prompt + text
        program = text if whole is True and not benchmark.framed else benchmark.program(problem, text)
        samples.append(GradedSample(problem.task_id, len(samples), raw, program))
    if texts:
        found = _with_programs(found, benchmark, texts, settings)
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


def cleaned(benchmark: Benchmark, answers: Sequence[tuple[Problem, str]], settings: Settings) -> list[tuple[str, str]]:
    """The programs in some answers, by the rules of builders and training, and the rule that applied to each.

    What is run for an answer without a program is its text, or nothing if it is an unfinished thought.
    """
    with contextlib.ExitStack() as stack:

        def sandbox() -> Sandbox:
            python, anyhow = settings.python, settings.allow_unisolated
            made = Sandbox(extract.LOADING, profile="library", python=python, allow_unisolated=anyhow)
            return stack.enter_context(made)

        asked = [extract.Answer(text, problem.prompt, problem.entry_point) for problem, text in answers]
        found = extract.extracted(asked, sandbox)
    return [
        (_program(benchmark, problem, text, item), item.rule)
        for (problem, text), item in zip(answers, found, strict=True)
    ]


def _program(benchmark: Benchmark, problem: Problem, text: str, item: extract.Extracted | extract.Rejected) -> str:
    if isinstance(item, extract.Extracted):
        return benchmark.program(problem, item.program) if benchmark.framed else item.program
    return benchmark.program(problem, "" if item.rule == "unfinished thought" else text)


def _with_programs(
    found: Mapping[str, list[GradedSample]],
    benchmark: Benchmark,
    texts: Sequence[tuple[Problem, str]],
    settings: Settings,
) -> dict[str, list[GradedSample]]:
    """The samples with the programs in their texts, which are in the order of the samples of each problem."""
    made: dict[str, list[GradedSample]] = {}
    for (problem, text), (program, rule) in zip(texts, cleaned(benchmark, texts, settings), strict=True):
        samples = made.setdefault(problem.task_id, [])
        samples.append(GradedSample(problem.task_id, len(samples), text, program, rule))
    return made


def write_samples(folder: Path, name: str, samples: Iterable[GradedSample]) -> None:
    """Writes `NAME.jsonl` (programs) and `NAME.raw.jsonl` (texts), as EvalPlus and BigCodeBench take them."""
    kept = list(samples)
    for suffix, field in ((".jsonl", "program"), (".raw.jsonl", "raw")):
        lines = [json.dumps({"task_id": s.task_id, "solution": getattr(s, field)}, ensure_ascii=False) for s in kept]
        write_text(folder / f"{name}{suffix}", "".join(f"{line}\n" for line in lines))


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode())
