"""What HumanEval+ and MBPP+ share: EvalPlus' prompts, byte for byte, its inputs in the Hub's format, its grading.

EvalPlus and BigCodeBench ask a base model to go on after the prompt. A chat model gets an instruction with the prompt
in a code block; where the template can be filled in by hand, its answer is begun for it up to the opening fence.
"""

import ast
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from codepref.errors import CodeprefError
from evaluation.benchmark import Asked, Benchmark, Problem
from evaluation.grade import inputs

PAPER = "arXiv:2305.01210"
MAX_TOKENS = 768
"""Longest answer of a model, as EvalPlus allows it."""
TASK = "Please provide a self-contained Python script that solves the following problem in a markdown code block:"
BEGIN = "Below is a Python script with a self-contained function that {what}:"
EVALPLUS_BEGIN = BEGIN.format(what="solves the problem and passes corresponding tests")
EVERYWHERE = ("<|endoftext|>", "<|endofmask|>", "</s>", "\nif __name__", "\ndef main(", "\nprint(")
AFTER_FUNCTION = ("\ndef ", "\nclass ", "\nimport ", "\nfrom ", "\nassert ")
AFTER_DOCSTRING = ('\n"""', "\nassert")
FENCE_END = "\n```\n"


def evalplus_question(problem: Problem, chat: bool, prefill: bool, after: tuple[str, ...]) -> Asked:
    """HumanEval(+) and MBPP(+) as EvalPlus asks them."""
    prompt = problem.prompt.strip() + "\n"
    if not chat:
        return Asked(prompt, stop=(*EVERYWHERE, *after))
    if not prefill:
        return Asked(f"{TASK}\n```python\n{prompt.strip()}\n```")
    text = f"{TASK}\n```\n{prompt.strip()}\n```\n"
    return Asked(text, f"{EVALPLUS_BEGIN}\n```python\n", stop=(*EVERYWHERE, FENCE_END))


def plus_variant(original: Benchmark, load: Callable[[Path | None], list[Problem]]) -> Benchmark:
    """EvalPlus' variant of a benchmark: asked as the original is, graded by inputs in place of asserts.

    Args:
        original: The benchmark that is extended.
        load: Problems of the variant from a file, or from the Hub.
    """
    return replace(
        original,
        name=f"{original.name}_plus",
        paper=PAPER,
        load=load,
        reference=inputs.reference_program,
        grade=inputs.grade_inputs,
    )


def inputs_of(test: str, where: str) -> dict[str, Any]:
    """Inputs and tolerance in a test text of the Hub's format; raises `CodeprefError` where it is not of that form."""
    listed = re.search(r"^ *inputs = (.+)$", test, re.MULTILINE)
    atol = re.search(r"assertion\(\w+\(\*inp\), exp, ([-+.\de]+)\)", test)
    if listed is None:
        raise CodeprefError(f"{where}: its test has no list of inputs")
    try:
        calls = [list(call) for call in _literal(ast.parse(listed[1], mode="eval").body)]
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
