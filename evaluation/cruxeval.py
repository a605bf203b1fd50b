"""CRUXEval (Gu et al. 2024, arXiv:2401.03065): what a short function returns, and an input that gives an output.

An answer is an expression, the right side of upstream's `assert OUTPUT == ANSWER`. It is put into a function of its
own, whose value is judged outside. The function of the task stands beside it for input prediction only: a predicted
output may not be computed by it. Texts that a model is shown are in cruxeval.json.
"""

import ast
import contextlib
import functools
import json
import re
from pathlib import Path

from codepref import benchmarks
from codepref.errors import CodeprefError
from codepref.extract import parse, spoken
from evaluation.benchmark import Asked, Benchmark, Problem, located_rows, require
from evaluation.grade import asserts

TEXTS = json.loads(Path(__file__).with_name("cruxeval.json").read_text(encoding="utf-8"))
BEGIN, END = "[ANSWER]", "[/ANSWER]"
TOKENS, STEPS_TOKENS = 1024, 2048
"""Longest answer, as upstream's scripts have it: of an answer alone, and of one with its steps before it."""
NAME = "predicted"
FRAME = f"def {NAME}():\n    return {{value}}\n"
_FRAMED = re.compile(FRAME.format(value="(.*)").replace("()", r"\(\)"), re.DOTALL)
"""A program of an earlier run, whose `samples.jsonl` is graded again."""
KEYS = ("id", "code", "input", "output")


def load(name: str, path: Path | None) -> list[Problem]:
    """The 800 functions, each with one input and its output.

    Raises:
        CodeprefError: the data can not be read, or a row lacks something.
    """
    kind = name.removeprefix("cruxeval_")
    gives_input, with_steps = kind.startswith("input"), kind.endswith("cot")
    problems: dict[str, Problem] = {}
    for where, row in located_rows(name, path):
        require(row, KEYS, where)
        if not all(isinstance(row[key], str) for key in KEYS):
            raise CodeprefError(f"{where}: {', '.join(KEYS)} have to be texts; take a row of CRUXEval")
        if row["id"] in problems:
            raise CodeprefError(f"{where}: task {row['id']!r} is there twice; keep one of the rows")
        prompt = filled(TEXTS[kind], row)
        data = {
            "tests": [f"assert {NAME}() == {row['output']}"],
            "before": f"{row['code']}\n\n" if gives_input else "",
            "after": "",
            "output": row["output"],
            "gives_input": gives_input,
            "with_steps": with_steps,
        }
        reference = f"f({row['input']})" if gives_input else row["output"]
        problems[row["id"]] = Problem(row["id"], prompt, reference, row=data)
    if not problems:
        raise CodeprefError(f"{path or name}: no tasks; give the file of CRUXEval")
    return list(problems.values())


def filled(text: str, row: dict[str, str]) -> str:
    """A text of upstream with the code, and the input or output, of a task in it."""
    return re.sub("<(code|input|output)>", lambda mark: row[mark[1]], text)


def answer_of(problem: Problem, text: str) -> str:
    """The expression in a model's answer, by the official rules; marked thoughts go first."""
    text = (spoken(text) or "").split(END)[0]
    if BEGIN in text:
        text = text.split(BEGIN)[1]
    elif problem.row["with_steps"]:
        text = text.strip().split("\n")[-1]
    sides = text.split("==")
    if not problem.row["gives_input"]:
        return sides[min(1, len(sides) - 1)].strip()
    before, called, after = sides[0].partition("assert f")
    return (f"f{after}" if called else before).strip()


def program(problem: Problem, text: str) -> str:
    """A function that gives the value of the answer; a comment where the answer is no expression of the right form."""
    graded_before = _FRAMED.fullmatch(text)
    answer = graded_before[1] if graded_before else answer_of(problem, text)
    tree = parse(f"assert {problem.row['output']} == {answer}")
    match tree.body if tree is not None else []:
        case [ast.Assert(test=ast.Compare(ops=[ast.Eq()], comparators=[value]), msg=None)]:
            is_call = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "f"
            if is_call or not problem.row["gives_input"]:
                with contextlib.suppress(RecursionError):  # of an answer like 1 + 1 + 1 ... without an end
                    return FRAME.format(value=ast.unparse(value))
    wanted = "a call of f" if problem.row["gives_input"] else "a value"
    return f"# the answer is not {wanted}\n"


def reference(problem: Problem) -> str:
    """The data set's own input or output, as an answer."""
    return program(problem, problem.reference)


def question(problem: Problem, chat: bool, prefill: bool) -> Asked:
    """What a model is shown: upstream's prompt, with its system text for chat models."""
    return Asked(problem.prompt, system=TEXTS["system"] if chat else None, stop=(END,))


def _benchmark(name: str) -> Benchmark:
    return Benchmark(
        name=name,
        paper="arXiv:2401.03065",
        load=functools.partial(load, name),
        program=program,
        reference=reference,
        grade=asserts.grade_asserts,
        ask=question,
        max_tokens=STEPS_TOKENS if name.endswith("cot") else TOKENS,
        bare=True,
        framed=True,
    )


BENCHMARKS = tuple(_benchmark(variant.name) for variant in benchmarks.variants_of("cruxeval"))
