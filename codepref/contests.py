"""Sets of contest tasks in their usual shapes, as prompts with tests: what `codepref convert` reads.

apps, taco     `question`, `input_output` (JSON: `inputs`, `outputs`, `fn_name`), `solutions` (JSON), `starter_code`
code_contests  `description`, `public_tests`, `private_tests`, `generated_tests`, `solutions`, `incorrect_solutions`
lcb            `question_content`, `public_test_cases`, `private_test_cases`, `starter_code`, `metadata`

Tests by input and output stay what they are. Calls with JSON arguments become asserts: `fn_name` is a function, or a
method of `class Solution` where the starter code says so.
"""

import base64
import binascii
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codepref.files import LineError, checked_text
from codepref.pickled import pickled_text
from codepref.records import content_id
from codepref.stdin import StdinTest

CLASS = "Solution"
PYTHON_3 = 3
"""Number of the language in CodeContests."""
FRACTIONS = 1e-5
"""How far numbers may be off in CodeContests, as its own runner has it."""
MOST_BYTES = 1 << 30
"""Of private tests, unpacked: a few bytes may unpack to any number."""
_FRACTION = re.compile(r"[+-]?\d*\.\d+|[+-]?\d+(\.\d*)?[eE][+-]?\d+", re.ASCII)


@dataclass(frozen=True)
class ContestTask:
    """One task: what is asked, its tests, and the Python programs that came with it."""

    prompt_id: str
    prompt: str
    entry_point: str
    """Empty for programs that read standard input."""
    tests: tuple[str, ...]
    codes: tuple[str, ...]
    source: str


def apps(row: Mapping[str, Any], tolerance: float | None = None) -> ContestTask:
    """A row of APPS or TACO.

    Raises:
        LineError: it has no tests, or is of another shape.
    """
    prompt, starter = _text(row, "question"), row.get("starter_code") or ""
    tests = _json(row.get("input_output"), "input_output") or {}
    codes = _json(row.get("solutions"), "solutions") or []
    if not isinstance(tests, dict) or not isinstance(codes, list):
        raise LineError("input_output is no object, or solutions no list", "give a row of APPS or TACO")
    pairs = _pairs(tests.get("inputs"), tests.get("outputs"))
    known = next((row[key] for key in ("problem_id", "id", "task_id") if row.get(key) is not None), None)
    prompt_id = content_id(prompt) if known is None else f"{known}"
    texts = tuple(code for code in codes if isinstance(code, str))
    source = f"{row.get('source') or row.get('url') or 'APPS'}"
    name = tests.get("fn_name")
    if not name:
        found = [stdin_test(_joined(given), _joined(printed), tolerance or 0.0) for given, printed in pairs]
        return ContestTask(prompt_id, prompt, "", tuple(found), texts, source)
    in_class = f"class {CLASS}" in (starter or "".join(texts[:1]))
    calls = tuple(_accepting(f"{name}", in_class, _arguments(given), printed) for given, printed in pairs)
    return ContestTask(
        prompt_id, _with_starter(prompt, starter), CLASS if in_class else f"{name}", calls, texts, source
    )


def code_contests(row: Mapping[str, Any], tolerance: float | None = None) -> ContestTask:
    """A row of CodeContests; its programs are those in Python 3, the right ones first.

    Raises:
        LineError: it has no tests, reads files, or is of another shape.
    """
    if row.get("input_file") or row.get("output_file"):
        raise LineError("the task reads or writes files", "leave it out")
    allowed = FRACTIONS if tolerance is None else tolerance
    kinds = [row.get(f"{kind}_tests") or {} for kind in ("public", "private", "generated")]
    pairs = [pair for kind in kinds if kind.get("input") for pair in _pairs(kind.get("input"), kind.get("output"))]
    tests = tuple(stdin_test(_joined(given), _joined(printed), allowed) for given, printed in pairs)
    if not tests:
        raise LineError("no tests", "leave it out")
    codes = [code for key in ("solutions", "incorrect_solutions") for code in _python(row.get(key) or {})]
    return ContestTask(_text(row, "name"), _text(row, "description"), "", tests, tuple(codes), "CodeContests")


def lcb(row: Mapping[str, Any], tolerance: float | None = None) -> ContestTask:
    """A row of LiveCodeBench's code generation, public and private tests together.

    Raises:
        LineError: it is of another shape, or its private tests hold more than a text.
    """
    kinds = ("public_test_cases", "private_test_cases")
    cases = [case for kind in kinds for case in lcb_cases(row.get(kind), kind)]
    metadata = _json(row.get("metadata") or "{}", "metadata")
    prompt, starter = _text(row, "question_content"), row.get("starter_code") or ""
    tests: list[str] = []
    for case in cases:
        given, printed = _text(case, "input"), _text(case, "output")
        if case.get("testtype") == "functional":
            arguments = [_json(line, "input") for line in given.split("\n") if line.strip()]
            wanted = _literal(_json(printed, "output"))
            tests.append(f"assert {_call(_text(metadata, 'func_name'), True, arguments)} == {wanted}")
        else:
            tests.append(stdin_test(given, printed, tolerance or 0.0))
    functional = any(case.get("testtype") == "functional" for case in cases)
    prompt = _with_starter(prompt, starter) if functional else prompt
    source = f"LiveCodeBench {row.get('platform', '')}".strip()
    return ContestTask(_text(row, "question_id"), prompt, CLASS if functional else "", tuple(tests), (), source)


Shape = Callable[[Mapping[str, Any], float | None], ContestTask]
SHAPES: dict[str, Shape] = {"apps": apps, "taco": apps, "code_contests": code_contests, "lcb": lcb}
"""Readers by name: of a row and a tolerance (None: that of the set)."""


def lcb_cases(data: Any, name: str) -> list[dict[str, Any]]:
    """Tests in a column of LiveCodeBench: JSON, or a packed pickle of its text, which is read and never run.

    Raises:
        LineError: it is neither.
    """
    text = data if isinstance(data, str) else "[]"
    if text[:1] not in ("[", ""):
        try:
            unpacking = zlib.decompressobj()
            plain = unpacking.decompress(base64.b64decode(text, validate=True), MOST_BYTES)
            if unpacking.unconsumed_tail or not unpacking.eof:
                raise ValueError("too large, or cut off")
            text = pickled_text(plain)
        except (binascii.Error, zlib.error, ValueError) as error:
            raise LineError(f"{name} can not be read: {error}", "take the file of the original") from None
    found = _json(text or "[]", name)
    if not isinstance(found, list) or not all(isinstance(case, dict) for case in found):
        raise LineError(f"{name} holds no list of tests", "take the file of the original")
    return found


def stdin_test(given: str, printed: str, tolerance: float = 0.0) -> str:
    """The text of a test by input and output; the tolerance where some number has a fraction."""
    fractions = any(_FRACTION.fullmatch(word) for word in printed.split())
    return StdinTest(given, (printed,), tolerance if fractions else 0.0).text


def _text(row: Mapping[str, Any], key: str) -> str:
    if key not in row:
        raise LineError(f"missing key {key!r}", "name the shape that the file has")
    value = row[key]
    return checked_text(f"{value}" if isinstance(value, int) else value, key)


def _json(value: Any, key: str) -> Any:
    """A value that may be given as JSON text; None for an empty one."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value.strip() else None
    except (ValueError, RecursionError):
        raise LineError(f"{key} is no usable JSON", "take the file of the original") from None


def _pairs(inputs: Any, outputs: Any) -> list[tuple[Any, Any]]:
    if not isinstance(inputs, list) or not isinstance(outputs, list) or not inputs or len(inputs) != len(outputs):
        raise LineError("no tests, or not as many outputs as inputs", "leave it out")
    return list(zip(inputs, outputs, strict=True))


def _joined(value: Any) -> str:
    """An input or output, which may be given as a list of lines."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        value = "\n".join(value)
    return checked_text(value, "a test")


def _python(solutions: Mapping[str, Any]) -> Iterator[str]:
    pairs = zip(solutions.get("language") or [], solutions.get("solution") or [], strict=False)
    return (code for language, code in pairs if language in (PYTHON_3, "PYTHON3"))


def _arguments(given: Any) -> list[Any]:
    """Arguments of a call: a list, or a line of JSON each."""
    if isinstance(given, str):
        return [_json(line, "inputs") for line in given.split("\n") if line.strip()]
    if not isinstance(given, list):
        raise LineError("the arguments of a call are no list", "leave it out")
    return given


def _call(name: str, in_class: bool, arguments: Sequence[Any]) -> str:
    if not name.isidentifier():
        raise LineError(f"fn_name {name!r} is no Python name", "leave it out")
    return f"{f'{CLASS}().' if in_class else ''}{name}({', '.join(map(_literal, arguments))})"


def _accepting(name: str, in_class: bool, arguments: Sequence[Any], wanted: Any) -> str:
    """An assert of APPS, where the value may be wrapped in a list of one, and a tuple counts as the list."""
    values = [wanted, *(wanted[:1] if isinstance(wanted, list) else [])]
    texts = [_literal(value) for value in values]
    texts += [f"tuple({_literal(value)})" for value in values if isinstance(value, list)]
    call = _call(name, in_class, arguments)
    distinct = list(dict.fromkeys(texts))
    return f"assert {call} == {distinct[0]}" if len(distinct) == 1 else f"assert {call} in ({', '.join(distinct)})"


def _literal(value: Any) -> str:
    """A value as Python, with the numbers that JSON made texts of when they were keys."""
    return literal(_with_int_keys(value))


def literal(value: Any) -> str:
    """A value of JSON as Python.

    Raises:
        LineError: it holds NaN or an infinite number.
    """
    text = repr(value)
    if re.search(r"\b(nan|inf)\b", re.sub(r"'[^']*'|\"[^\"]*\"", "", text)):
        raise LineError("a number that no literal can say", "leave it out")
    return text


def _with_int_keys(value: Any) -> Any:
    if isinstance(value, list):
        return list(map(_with_int_keys, value))
    if not isinstance(value, dict):
        return value
    numbers = all(re.fullmatch(r"-?\d+", key) for key in value)
    return {(int(key) if numbers else key): _with_int_keys(item) for key, item in value.items()}


def _with_starter(prompt: str, starter: str) -> str:
    """A prompt that shows the code which the answer has to begin with."""
    if not starter.strip() or starter.strip() in prompt:
        return prompt
    return f"{prompt.rstrip()}\n\n```python\n{starter.rstrip()}\n```"
