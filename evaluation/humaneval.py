"""HumanEval (Chen et al. 2021, arXiv:2107.03374) and HumanEval+ (EvalPlus, Liu et al. 2023, arXiv:2305.01210).

HumanEval's `check(candidate)` is taken apart into its asserts, which are judged outside the program's process; a check
with loops or helpers runs whole, beside the program.

HumanEval+ comes as EvalPlus releases it (inputs, graded by data) or as the Hub serves it (`evalplus/humanevalplus`,
whose test text holds the same inputs). HumanEval/32 accepts any root: its condition is the residual. The Hub's own test
of that problem can be passed by no solution; here it is graded like the other format.
"""

import ast
from pathlib import Path
from typing import Any

from codepref.errors import CodeprefError
from evaluation import evalplus
from evaluation.benchmark import Asked, Benchmark, Problem, located_rows, require
from evaluation.grade import asserts
from evaluation.samples import is_program

POLYNOMIAL = "abs(sum(c * _v(0) ** i for i, c in enumerate(_v(2)[0]))) <= 1e-4"
CONDITIONS = {"HumanEval/32": POLYNOMIAL}


def load(path: Path | None) -> list[Problem]:
    """The 164 problems of HumanEval."""
    return [_problem(row, where) for where, row in located_rows("humaneval", path)]


def _problem(row: dict[str, Any], where: str) -> Problem:
    require(row, ("task_id", "prompt", "canonical_solution", "test", "entry_point"), where)
    tests = {"tests": asserts_of(row["test"], row["entry_point"]), "before": "", "after": ""}
    return Problem(row["task_id"], row["prompt"], row["canonical_solution"], row["entry_point"], row=tests)


def asserts_of(test: str, entry_point: str) -> list[str]:
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


def load_plus(path: Path | None) -> list[Problem]:
    """Problems of HumanEval+."""
    return [_plus_problem(row, where) for where, row in located_rows("humaneval_plus", path)]


def _plus_problem(row: dict[str, Any], where: str) -> Problem:
    require(row, ("task_id", "prompt", "canonical_solution", "entry_point"), where)
    if "base_input" in row and "plus_input" in row:
        data = {"base_input": row["base_input"], "plus_input": row["plus_input"], "atol": row.get("atol", 0)}
    else:
        require(row, ("test",), where)
        data = evalplus.inputs_of(row["test"], where)
    condition = CONDITIONS.get(row["task_id"])
    if condition:
        data["condition"] = condition
    data["program"] = row["prompt"] + row["canonical_solution"]
    return Problem(row["task_id"], row["prompt"], row["canonical_solution"], row["entry_point"], row=data)


def program(problem: Problem, text: str) -> str:
    """A whole program is run as it is; anything else completes the prompt."""
    return text if is_program(text, problem.entry_point) else problem.prompt + text


def reference(problem: Problem) -> str:
    """The prompt, completed by the data set's own solution."""
    return problem.prompt + problem.reference


def question(problem: Problem, chat: bool, prefill: bool) -> Asked:
    """HumanEval and HumanEval+ as EvalPlus asks them."""
    return evalplus.evalplus_question(problem, chat, prefill, evalplus.AFTER_FUNCTION)


HUMANEVAL = Benchmark(
    name="humaneval",
    paper="arXiv:2107.03374",
    load=load,
    program=program,
    reference=reference,
    grade=asserts.grade_asserts,
    ask=question,
    max_tokens=evalplus.MAX_TOKENS,
)
HUMANEVAL_PLUS = evalplus.plus_variant(HUMANEVAL, load_plus)
BENCHMARKS = (HUMANEVAL, HUMANEVAL_PLUS)
