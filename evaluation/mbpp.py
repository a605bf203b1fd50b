"""MBPP (Austin et al. 2021, arXiv:2108.07732) and MBPP+ (EvalPlus, Liu et al. 2023, arXiv:2305.01210).

MBPP's order is code, set-up, asserts: the set-up of tasks 367 and 927 uses a class that the code defines. In the
sanitized file the imports come first.

MBPP+ comes as EvalPlus releases it (inputs as JSON, which has no tuples, sets or complex numbers: they are restored by
task) or as the Hub serves it (`evalplus/mbppplus`, whose test text holds them as Python). Some tasks accept more than
one answer; their conditions are below.
"""

import ast
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from codepref.errors import CodeprefError
from evaluation import evalplus
from evaluation.benchmark import Asked, Benchmark, Problem, located_rows, require
from evaluation.grade import asserts

ANY_PLAIN = "_v(0) is not ..."
AS_SETS = "set(_v(0)) == set(_v(1))"
IS_SOME = " == ".join(f"(_v({k}) if isinstance(_v({k}), bool) else _v({k}) is not None)" for k in (0, 1))
PADDED_DIGITS = (
    "close(_v(0), _v(1), 0) or _v(0) == sum(abs(int(a) - int(b)) for a, b in "
    "zip(*(str(n).zfill(max(len(str(m)) for m in _v(2))) for n in _v(2))))"
)
SLANTED = (
    "close(_v(0), _v(1), {atol!r}) or abs(_v(0) - round(_v(2)[0] ** 2 + 2 * _v(2)[0] * "
    "((_v(2)[0] / 2) ** 2 + _v(2)[1] ** 2) ** 0.5)) <= {atol!r}"
)
CONDITIONS = {
    **dict.fromkeys((2, 7, 111, 140, 232, 249, 579, 769), AS_SETS),  # order and repetition are not asked for
    **dict.fromkeys((737, 787, 794), IS_SOME),  # a match or any other value that is not None
    164: ANY_PLAIN,  # what counts as equivalent is not said
    295: "close(_v(0), _v(1), {atol!r}) or _v(0) == 0",  # whether a number divides itself is not said
    558: PADDED_DIGITS,  # numbers of different length may be padded
    581: SLANTED,  # the height may be that of the pyramid
}
"""By task: when a value is right, where equality does not say it."""


def _items(value: Any) -> list[Any]:
    return [tuple(item) for item in value]


def _deep(value: Any) -> Any:
    return tuple(_deep(item) for item in value) if isinstance(value, list) else value


def _sets(value: Any) -> list[Any]:
    return [set(item) if isinstance(item, list) and item else {} for item in value]


def _rows(value: Any) -> tuple[Any, ...]:
    return tuple(tuple(item) if isinstance(item, list) else item for item in value)


def _values(value: Any) -> dict[Any, Any]:
    return {key: tuple(item) for key, item in value.items()}


_EACH = (2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424, 429, 470, 560, 579, 596, 616, 630, 726, 740, 744, 809)
_INNER = (63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780)
_RESTORE: tuple[tuple[tuple[int, ...], int | None, Callable[[Any], Any]], ...] = (
    (_EACH, None, tuple), (_INNER, None, _items), ((259, 401, 445, 278), None, _rows), ((580, 615, 791), None, _deep),
    ((75, 413, 444, 753), 0, _items), ((250, 405, 446, 617, 720, 763, 808, 307), 0, tuple), ((106, 750), 1, tuple),
    ((722,), 0, _values), ((115,), 0, _sets), ((252,), 0, complex), ((124,), 0, float), ((124,), 1, complex),
)  # fmt: skip
"""Tasks, the argument (None: every one) and what JSON lost there."""


def restored(number: int, calls: list[list[Any]]) -> list[list[Any]]:
    """Argument lists with the tuples, sets and complex numbers that JSON lost."""
    found = [list(call) for call in calls]
    for tasks, place, restore in _RESTORE:
        if number not in tasks:
            continue
        for call in found:
            for position, value in enumerate(call):
                if place in (None, position):
                    call[position] = restore(value)
    return found


def load(path: Path | None) -> list[Problem]:
    """Problems of MBPP: the test split of the full set on the Hub, or every row of a file of either form."""
    return [_problem(row, where) for where, row in located_rows("mbpp", path)]


def _problem(row: dict[str, Any], where: str) -> Problem:
    require(row, ("task_id", "code", "test_list"), where)
    text = row.get("text", row.get("prompt"))
    if text is None:
        raise CodeprefError(f"{where}: no column 'text' or 'prompt'; it has {', '.join(row)}")
    data = {
        "tests": list(row["test_list"]),
        "before": "".join(f"{line}\n" for line in row.get("test_imports") or ()),
        "after": row.get("test_setup_code") or "",
    }
    name = called_name(row["test_list"][0], row["code"])
    prompt = as_docstring(text, row["test_list"][0])
    return Problem(f"Mbpp/{row['task_id']}", prompt, row["code"], name, row=data)


def called_name(test: str, code: str) -> str:
    """The function or class of the code that a test uses; the last one defined where it uses several."""
    try:
        defined = [n.name for n in ast.parse(code).body if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
        used = {n.id for n in ast.walk(ast.parse(test)) if isinstance(n, ast.Name)}
    except SyntaxError:
        return ""
    return next((name for name in reversed(defined) if name in used), "")


def load_plus(path: Path | None) -> list[Problem]:
    """Problems of MBPP+."""
    return [_plus_problem(row, where) for where, row in located_rows("mbpp_plus", path)]


def _plus_problem(row: Mapping[str, Any], where: str) -> Problem:
    require(row, ("task_id", "prompt"), where)
    number = int(str(row["task_id"]).removeprefix("Mbpp/"))
    data: dict[str, Any]
    if "base_input" in row:
        require(row, ("plus_input", "entry_point", "canonical_solution"), where)
        data = {name: restored(number, row[name]) for name in ("base_input", "plus_input")}
        data["atol"], name, prompt = row.get("atol", 0), row["entry_point"], row["prompt"]
        solution = row["canonical_solution"]
    else:
        require(row, ("code", "test_list", "test"), where)
        data = evalplus.inputs_of(row["test"], where)
        base = len(row["test_list"])
        data["base_input"], data["plus_input"] = data["plus_input"][:base], data["plus_input"][base:]
        name, prompt, solution = tested_name(row["test"]), as_docstring(row["prompt"], row["test_list"][0]), row["code"]
    if number in CONDITIONS:
        data["condition"] = CONDITIONS[number].format(atol=data["atol"])
    data["program"] = solution
    return Problem(f"Mbpp/{number}", prompt, solution, name, row=data)


def tested_name(test: str) -> str:
    """Name of the function that a test text of the Hub's format calls."""
    return test.rpartition("assertion(")[2].partition("(")[0]


def as_docstring(text: str, test: str) -> str:
    """A task and its first test as EvalPlus shows them to a model."""
    return f'"""\n{text}\n{test}\n"""\n'


def program(problem: Problem, text: str) -> str:
    """MBPP's answers are whole programs."""
    return text


def reference(problem: Problem) -> str:
    """The data set's own solution is a whole program."""
    return problem.reference


def question(problem: Problem, chat: bool, prefill: bool) -> Asked:
    """MBPP and MBPP+ as EvalPlus asks them."""
    return evalplus.evalplus_question(problem, chat, prefill, evalplus.AFTER_DOCSTRING)


MBPP = Benchmark(
    name="mbpp",
    paper="arXiv:2108.07732",
    load=load,
    program=program,
    reference=reference,
    grade=asserts.grade_asserts,
    ask=question,
    max_tokens=evalplus.MAX_TOKENS,
)
MBPP_PLUS = evalplus.plus_variant(MBPP, load_plus)
BENCHMARKS = (MBPP, MBPP_PLUS)
