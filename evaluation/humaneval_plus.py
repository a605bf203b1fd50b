"""HumanEval (Chen et al. 2021, arXiv:2107.03374) and HumanEval+ (EvalPlus, Liu et al. 2023, arXiv:2305.01210).

HumanEval+ comes as EvalPlus releases it (inputs, graded by data) or as the Hub serves it (`evalplus/humanevalplus`,
whose test text holds the same inputs). HumanEval/32 accepts any root: its condition is the residual. The Hub's own test
of that problem can be passed by no solution; here it is graded like the other format.
"""

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codepref.errors import CodeprefError
from evaluation.benchmark import Problem, from_hub, require, rows

POLYNOMIAL = "abs(sum(c * _v(0) ** i for i, c in enumerate(_v(2)[0]))) <= 1e-4"
CONDITIONS = {"HumanEval/32": POLYNOMIAL}


def load(path: Path | None) -> list[Problem]:
    """Problems of HumanEval+."""
    table = rows(path) if path else from_hub("evalplus/humanevalplus", "test")
    return [_problem(row, f"{path or 'evalplus/humanevalplus'}, row {number}") for number, row in enumerate(table)]


def _problem(row: Mapping[str, Any], where: str) -> Problem:
    require(row, ("task_id", "prompt", "canonical_solution", "entry_point"), where)
    if "base_input" in row and "plus_input" in row:
        inputs = {"base_input": row["base_input"], "plus_input": row["plus_input"], "atol": row.get("atol", 0)}
    else:
        require(row, ("test",), where)
        inputs = inputs_of(row["test"], where)
    condition = CONDITIONS.get(row["task_id"])
    if condition:
        inputs["condition"] = condition
    inputs["program"] = row["prompt"] + row["canonical_solution"]
    return Problem(row["task_id"], row["prompt"], row["canonical_solution"], row["entry_point"], row=inputs)


def inputs_of(test: str, where: str) -> dict[str, Any]:
    """Inputs and tolerance in a test text of the Hub's format; raises `CodeprefError` where it is not of that form."""
    inputs = re.search(r"^ *inputs = (.+)$", test, re.MULTILINE)
    atol = re.search(r"assertion\(\w+\(\*inp\), exp, ([-+.\de]+)\)", test)
    if inputs is None:
        raise CodeprefError(f"{where}: its test has no list of inputs")
    try:
        calls = [list(call) for call in _literal(ast.parse(inputs[1], mode="eval").body)]
    except (ValueError, SyntaxError, TypeError) as error:
        raise CodeprefError(f"{where}: the inputs in its test can not be read ({error})") from None
    return {"base_input": [], "plus_input": calls, "atol": float(atol[1]) if atol else 0}


def _literal(node: ast.expr) -> Any:
    """A literal in which `inf` and `nan` may occur, as the texts print them."""

    class Named(ast.NodeTransformer):
        def visit_Name(self, name: ast.Name) -> ast.AST:
            return ast.copy_location(ast.Constant(float(name.id)), name) if name.id in ("inf", "nan") else name

        def visit_Call(self, call: ast.Call) -> ast.AST:
            if isinstance(call.func, ast.Name) and call.func.id == "float" and len(call.args) == 1:
                return ast.copy_location(ast.Constant(float(ast.literal_eval(call.args[0]))), call)
            return call

    return ast.literal_eval(Named().visit(node))


def program(problem: Problem, text: str) -> str:
    """A whole program is run as it is; anything else completes the prompt."""
    from evaluation.samples import is_program

    return text if is_program(text, problem.entry_point) else problem.prompt + text
