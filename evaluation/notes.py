"""What a reader of a score should know about the samples behind it: one line each."""

import ast
import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from evaluation.benchmark import Benchmark, Graded, Problem
from evaluation.samples import UNFINISHED, GradedSample

_MARKDOWN = re.compile(r"^[ \t>]*(```|~~~)|</?think", re.MULTILINE)
BROKEN = ("SyntaxError", "IndentationError", "TabError")
MARKDOWN_SHARE, BROKEN_SHARE = 0.05, 0.5
"""From such shares of all samples on a hint is given: failed ones with Markdown, ones that do not compile."""


def sample_notes(
    benchmark: Benchmark, samples: Sequence[GradedSample], rows: Sequence[dict[str, Any]], clean: bool
) -> list[str]:
    """Hints on samples of a file; `clean` says whether programs were taken out of their texts already."""
    notes = []
    other = [sample for sample in samples if sample.spelt]
    if other:
        first = f"{other[0].spelt!r} was read as {other[0].task_id!r}"
        notes.append(f"Task ids are spelt otherwise in {len(other)} of {len(samples)} samples: {first}.")
    mended = sum(sample.mended for sample in samples)
    if mended:
        notes.append(f"Half surrogate pairs, which are no characters, were replaced by U+FFFD in {mended} samples.")
    unfinished = sum(sample.rule == UNFINISHED for sample in samples)
    if unfinished:
        notes.append(
            f"{unfinished} of {len(samples)} answers end inside a thought and count as failed: the score is that of "
            "this token budget. Thinking models need more (--max-tokens, 16,384 and up)."
        )
    if not clean and not benchmark.bare:
        notes += _cleaning_hint(samples, rows)
    return notes


def flaw_notes(problems: Sequence[Problem]) -> list[str]:
    """One line on the tasks that their authors say are flawed."""
    flawed = [f"{problem.task_id} ({problem.flaw})" for problem in problems if problem.flaw]
    if not flawed:
        return []
    listed = ", ".join(flawed)
    return [f"Errata: {len(flawed)} of {len(problems)} tasks are flawed by their authors' list, and count: {listed}."]


def _cleaning_hint(samples: Sequence[GradedSample], rows: Sequence[dict[str, Any]]) -> list[str]:
    failed = [sample for sample, row in zip(samples, rows, strict=True) if row["verdict"] != "passed"]
    broken = sum(row["error"].startswith(BROKEN) for row in rows)
    markdown = sum(bool(_MARKDOWN.search(sample.raw)) for sample in failed)
    if markdown and (len(failed) == len(rows) or markdown >= MARKDOWN_SHARE * len(rows)):
        what = f"{markdown} of {len(rows)} samples fail and look like raw answers of a model (Markdown, thoughts)"
    elif broken >= BROKEN_SHARE * len(rows):
        what = f"{broken} of {len(rows)} samples are no Python"
    else:
        return []
    return [f"{what}: --clean takes the programs out of the answers before they are graded."]


def explained(problem: Problem, sample: GradedSample, graded: Graded) -> Graded:
    """The verdict, with the reason in words where there is no program, or one without the function."""
    if graded.verdict == "passed":
        return graded
    name = problem.entry_point
    if is_empty(problem, sample):
        return dataclasses.replace(graded, error="no program")
    if name and graded.error in (f"KeyError: {name}", f"KeyError: {name!r}") and not _binds(sample.program, name):
        return dataclasses.replace(graded, error=f"NameError: the program defines no {name}")
    return graded


def is_empty(problem: Problem, sample: GradedSample) -> bool:
    """True for an answer that holds nothing, only comments, only a thought, or only the prompt."""
    texts = sample.raw.strip(), sample.program.strip()
    if not all(texts) or sample.rule == UNFINISHED or (problem.prompt and texts[0] == problem.prompt.strip()):
        return True
    try:
        return not ast.parse(sample.program).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _binds(program: str, name: str) -> bool:
    """True if a program gives a value to the name, by definition, assignment or import."""
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == name:
            return True
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
            return True
        if isinstance(node, ast.alias) and name in (node.asname, node.name, "*"):
            return True
    return False
