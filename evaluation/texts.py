"""HumanEval and MBPP in their original form, whose tests are text: graded by the engine's plan of each assert.

HumanEval's `check(candidate)` is taken apart into its asserts, which are judged outside the program's process; a check
with loops or helpers runs whole, beside the program. MBPP's order is code, set-up, asserts: the set-up of tasks 367 and
927 uses a class that the code defines. In the sanitized file the imports come first.
"""

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from codepref.errors import CodeprefError
from codepref.sandbox import Cell, Job, Limits, Matrix, Mode, execute
from evaluation.benchmark import Graded, Problem, Settings, Work, from_hub, require, rows
from evaluation.mbpp_plus import docstring

WALL_S, PATIENT_S = 9.0, 300.0
BUSY_S = 0.3
"""CPU seconds from which on a program that ran out of wall time was working, not sleeping."""


def load_humaneval(path: Path | None) -> list[Problem]:
    """The 164 problems of HumanEval."""
    table = rows(path) if path else from_hub("openai/openai_humaneval", "test")
    problems = []
    for number, row in enumerate(table):
        columns = ("task_id", "prompt", "canonical_solution", "test", "entry_point")
        require(row, columns, f"{path or 'openai_humaneval'}, row {number}")
        data = {"tests": asserts(row["test"], row["entry_point"]), "before": "", "after": ""}
        solution = row["canonical_solution"]
        problems.append(Problem(row["task_id"], row["prompt"], solution, row["entry_point"], row=data))
    return problems


def asserts(test: str, entry_point: str) -> list[str]:
    """The asserts of a `check(candidate)` function, or the whole test with its call where they do not stand alone."""
    try:
        body = next(n for n in ast.parse(test).body if isinstance(n, ast.FunctionDef) and n.name == "check").body
    except (SyntaxError, StopIteration):
        raise CodeprefError(f"{entry_point}: its test defines no check(candidate)") from None
    texts = [node for node in body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]
    if not all(isinstance(node, ast.Assert) for node in texts):
        return [f"{test}\n\ncheck({entry_point})"]
    asked = []
    for statement in texts:
        uses = [n for n in ast.walk(statement) if isinstance(n, ast.Name) and n.id == "candidate"]
        for node in uses:
            node.id = entry_point
        asked += [ast.unparse(statement)] * bool(uses)  # `assert True` says nothing about a program
    return asked


def load_mbpp(path: Path | None) -> list[Problem]:
    """Problems of MBPP: the test split of the full set on the Hub, or every row of a file of either form."""
    table = rows(path) if path else from_hub("google-research-datasets/mbpp", "test", "full")
    return [_mbpp(row, f"{path or 'mbpp'}, row {number}") for number, row in enumerate(table)]


def _mbpp(row: dict[str, Any], where: str) -> Problem:
    require(row, ("task_id", "code", "test_list"), where)
    text = row.get("text", row.get("prompt"))
    if text is None:
        raise CodeprefError(f"{where}: no column 'text' or 'prompt'; it has {', '.join(row)}")
    data = {
        "tests": list(row["test_list"]),
        "before": "".join(f"{line}\n" for line in row.get("test_imports") or ()),
        "after": row.get("test_setup_code") or "",
    }
    name = called(row["test_list"][0], row["code"])
    return Problem(f"Mbpp/{row['task_id']}", docstring(text, row["test_list"][0]), row["code"], name, row=data)


def called(test: str, code: str) -> str:
    """The function or class of the code that a test uses; the last one defined where it uses several."""
    try:
        defined = [n.name for n in ast.parse(code).body if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
        used = {n.id for n in ast.walk(ast.parse(test)) if isinstance(n, ast.Name)}
    except SyntaxError:
        return ""
    return next((name for name in reversed(defined) if name in used), "")


def grade(work: Work, settings: Settings) -> Iterator[list[Graded]]:
    """Verdicts on programs, problem by problem, in order.

    As upstream, a program that sleeps for long has timed out; one that only waits for a busy machine has not, and is
    given more time.
    """
    known: dict[str, Job] = {}

    def jobs() -> Iterator[Job]:
        for problem, programs in work:
            row = problem.row
            codes = tuple(f"{row['before']}{program}\n{row['after']}" for program in programs)
            known[problem.task_id] = Job(problem.task_id, codes, tuple(row["tests"]), problem.entry_point or None)
            yield known[problem.task_id]

    for matrix in _execute(jobs(), settings, WALL_S):
        job = known.pop(matrix.job_id)
        cells = matrix.cells
        if any(cell.error == "wall limit" and cell.cpu_s > BUSY_S for row in cells for cell in row):
            cells = next(_execute(iter([job]), replace(settings, workers=1), PATIENT_S)).cells
        yield [_graded(row) for row in cells]


def _execute(jobs: Iterator[Job], settings: Settings, wall_s: float) -> Iterator[Matrix]:
    limits = Limits(
        cpu_s=max(3.0, settings.cpu_s),
        screen_s=None,
        wall_s=wall_s,
        memory_mb=settings.memory_mb,
        output_bytes=16 << 20,
        profile=settings.profile,
    )
    return execute(
        jobs, limits, workers=settings.workers, python=settings.python, batch_cells=64,
        allow_unisolated=settings.allow_unisolated,
    )  # fmt: skip


def _graded(cells: tuple[Cell, ...]) -> Graded:
    """The first trouble in the order of the tests decides."""
    bad = next((cell for cell in cells if cell.verdict != "passed"), None)
    mode: Mode = "official" if any(cell.mode == "official" for cell in cells) else "plain"
    verdict = "passed" if bad is None else bad.verdict
    return Graded(verdict, mode, error="" if bad is None else bad.error, cpu_s=sum(cell.cpu_s for cell in cells))
