"""Examples in a prompt, as tests of known truth: whoever wrote the prompt says what the function returns.

Read are doctests (`>>> f(2)`, then the value), lines that say what one call gives (`f(2) == 4`, `f(2) -> 4`,
`f(2) returns 4`, `f(2)  # => 4`), inputs with their outputs (`Input: x = 2`, then `Output: 4`; `for x = 2 the output
should be 4`) and `assert` statements. Only what reads in one way is taken: values for arguments, a literal for the
result, nothing before the call that may turn the sentence round. What is left out costs evidence; what is read wrongly
would be evidence for wrong codes.
"""

import ast
import builtins
import doctest
import re
from collections.abc import Iterator, Mapping
from typing import Any

from codepref.extract.syntax import named, parse
from codepref.extract.testing import tests
from codepref.files import LineError, json_word
from codepref.stdin import text_of

_FENCES = re.compile(r'"""|\'\'\'|```[ \t]*\w*')
"""What ends a doctest without a blank line: the docstring's or the Markdown block's own marks."""
_GIVES = re.compile(
    r"`?\s*(?:(?:#|//)\s*(?:=+>|-+>|returns?\b|gives\b)?|=+>|-+>|={1,2}|[→➞⇒]|"
    r"(?:should |must |will )?(?:returns?|gives?|yields?|outputs?|evaluates to|equals?)\b)\s*`?"
)
"""What stands between a call and its value."""
_BULLET = re.compile(r"[\s`>#/*•-]*(?:\d+[.)]\s*)?`?")
_INTRODUCED = re.compile(r"(?:.*[:,;.]|(?:.*\s)?(?:and|also|for|so|thus|example|instance))\s*`?", re.IGNORECASE)
"""What may stand before a call on its line."""
_TURNS = re.compile(r"\b(?:not|never|no|wrong|incorrect\w*|instead|unlike|if|unless|while|lambda)\b|n't\b", re.I)
"""Words before a call after which it may say something else."""
_GOES_ON = re.compile(r"`?\s*(?:[.,;]*\s*$|#|//|\(|[.,;]?\s*(?:because|since|as|where|and)\b|[,;]\s*`?\w+\()")
"""What may stand after a value; else it may be the beginning of something longer."""
_INPUT = re.compile(
    r"\binput ?\d*:\s{0,80}(\S.*?)[,;]?\s{0,80}(?:->|=>)?\s{0,80}\b(?:expected )?output ?\d*:\s{0,80}(.+)", re.I
)
_FOR = re.compile(r"\b(?:for|if|when|given|with)\s+`?(\w+\s*=.*)", re.I)
_OUTPUT = re.compile(r"\b(?:output|result|answer)\s+(?:should\s+be|must\s+be|will\s+be|would\s+be|is)\s+(.+)", re.I)
_WORDS = {"true": True, "false": False, "none": None, "null": None}
CLOSE = 1e-6
"""How far a result may be from a fraction that an example names."""
LONGEST = 20
"""Lines that one `assert` or one `def` may have."""
LONGEST_ARGUMENTS = 300
"""Characters of the values that a sentence names."""
LONGEST_LINE = 2000
"""Characters; no example stands in a longer line, and reading one could take long."""


def examples(prompt: str, entry_point: str) -> list[str]:
    """The examples in a prompt as tests, each once: `assert` statements on the entry point.

    Args:
        prompt: The prompt's text: code with a docstring, Markdown or prose.
        entry_point: The function the prompt asks for; where it is empty (programs that read standard input) there are
            no examples that could be read.
    """
    if not entry_point or entry_point not in prompt:
        return []
    parameters = _parameters(prompt, entry_point)
    readable = "\n".join(line for line in prompt.splitlines() if len(line) <= LONGEST_LINE)
    found = (test for part in _FENCES.split(readable) for test in _of_part(part, entry_point, parameters))
    return list(dict.fromkeys(found))


def _of_part(part: str, entry_point: str, parameters: ast.arguments | None) -> list[str]:
    """The examples in a part of a prompt; none where it is nested too deeply or a number is too long to be written."""
    try:
        said = [
            *_doctests(part, entry_point),
            *_sentences(part, entry_point),
            *_inputs(part, entry_point, parameters),
            *_asserts(part, entry_point),
        ]
        return [test for text in said for test in tests(text, entry_point)[0]]
    except (RecursionError, ValueError):
        return []


def given_examples(entry: Mapping[str, Any], entry_point: str) -> tuple[str, ...]:
    """The tests under the key `examples` of a prompt's line, single ones, each once; none without the key.

    Raises:
        LineError: they are no list of tests, or there is one that does not use the entry point.
    """
    given = entry.get("examples", [])
    if not isinstance(given, list):
        raise LineError(f"examples is {json_word(given)}", "write a list of tests that are known to be right")
    found = list[str]()
    for index, item in enumerate(given):
        usable, rejected = tests(text_of(item, f"examples[{index}]"), entry_point)
        if rejected:
            problem = " ".join(filter(None, (rejected[0].rule, rejected[0].detail)))
            wanted = f"an assert on {entry_point}" if entry_point else 'a test {"input": ..., "output": ...}'
            raise LineError(f"examples[{index}] is no test: {problem}", f"write {wanted}, or leave it out")
        found += usable
    return tuple(dict.fromkeys(found))


def _doctests(text: str, entry_point: str) -> Iterator[str]:
    """Assertions made of `>>>` lines and the values under them, each after the statements before it."""
    try:
        items = doctest.DocTestParser().get_examples(text)
    except ValueError:  # it is laid out in a way that doctest refuses
        return
    before = ""
    for item in items:
        call = _expression(item.source)
        if call is None:
            before += item.source
        elif entry_point in named(call) and item.want:
            yield from (before + said for said in _shown(call, item.want.rstrip("\n")))


def _shown(call: ast.expr, want: str) -> Iterator[str]:
    """The assertion that a doctest makes: what is printed, or the value of an expression."""
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "print":
        if len(call.args) == 1 and not call.keywords:
            yield f"assert str({ast.unparse(call.args[0])}) == {want!r}"
        return
    known, value = _literal(want.strip())
    if known and isinstance(call, ast.Compare) and value is True:
        yield f"assert {ast.unparse(call)}"
    elif known:
        yield _asserted(ast.unparse(call) if isinstance(call, ast.Call) else f"({ast.unparse(call)})", value)


def _sentences(text: str, entry_point: str) -> Iterator[str]:
    """Assertions made of lines such as `f(2) == 4`."""
    name = re.compile(rf"(?<![\w.]){re.escape(entry_point)}\(")
    for line in text.splitlines():
        if re.search(r"\b(?:assert|def)\b", line):
            continue
        for match in name.finditer(line):
            end = _end_of_call(line, match.start())
            gives = _GIVES.match(line, end) if end else None
            if gives is None or not _is_introduced(line[: match.start()]):
                continue
            known, value = _value(line[gives.end() :])
            if known:
                yield _asserted(line[match.start() : end], value)


def _parameters(prompt: str, entry_point: str) -> ast.arguments | None:
    """The parameters of the entry point, where the prompt shows its first line."""
    start = re.search(rf"\bdef\s+{re.escape(entry_point)}\s*\(", prompt)
    head = "\n".join(prompt[start.start() :].splitlines()[:LONGEST])[:LONGEST_LINE] if start else ""
    for end in re.finditer(":", head):
        tree = parse(f"{head[: end.end()]} pass")
        if tree is not None and isinstance(tree.body[0], ast.FunctionDef):
            return tree.body[0].args
    return None


def _inputs(text: str, entry_point: str, parameters: ast.arguments | None) -> Iterator[str]:
    """Assertions made of inputs and the outputs said to belong to them."""
    if parameters is None or parameters.vararg or parameters.kwonlyargs or parameters.kwarg:
        return
    for match in _INPUT.finditer(text):
        given = _arguments(match[1].strip("` "), parameters)
        known, value = _value(match[2].lstrip("`"))
        if given and known:
            yield _asserted(f"{entry_point}({given})", value)
    for line in text.splitlines():
        output = _OUTPUT.search(line)
        start = _FOR.search(line[: output.start()]) if output else None
        if output is None or start is None:
            continue
        named_values = start[1][:LONGEST_ARGUMENTS]
        readings = (_arguments(named_values[:end], parameters) for end in range(len(named_values), 0, -1))
        given = next(filter(None, readings), "")
        known, value = _value(output[1].lstrip("`"))
        if given and known:
            yield _asserted(f"{entry_point}({given})", value)


def _arguments(text: str, parameters: ast.arguments) -> str:
    """The arguments that a text names, in the words of a call; empty where it does not name those the function needs.

    `x = 2, y = 3` names two; `2` names the only one. They are given by position, since a code may name them otherwise.
    """
    call = _expression(f"_({text})")
    names = [parameter.arg for parameter in (*parameters.posonlyargs, *parameters.args)]
    if not isinstance(call, ast.Call) or (call.args and not len(call.args) == len(names) == 1):
        return ""
    given = dict(zip(names, call.args, strict=False)) | {item.arg or "": item.value for item in call.keywords}
    first = names[: len(given)]
    fits = set(given) == set(first) and len(first) >= len(names) - len(parameters.defaults)
    if not given or not fits or not all(map(_is_value, given.values())):
        return ""
    return ", ".join(ast.unparse(given[name]) for name in first)


def _asserts(text: str, entry_point: str) -> Iterator[str]:
    """The `assert` statements on the entry point."""
    rows = text.splitlines()
    for number, row in enumerate(rows):
        indent = row[: len(row) - len(row.lstrip())]
        start = re.search(r"\bassert\b", row)
        if start is None or _TURNS.search(row[: start.start()]):
            continue
        for end in range(number + 1, min(number + LONGEST, len(rows)) + 1):
            more = (line.removeprefix(indent) for line in rows[number + 1 : end])
            statement = "\n".join([row[start.start() :], *more]).strip("` \t")
            is_whole = parse(statement) is not None
            if is_whole:
                yield statement
            if is_whole or "assert" in "".join(rows[end : end + 1]):
                break


def _expression(source: str) -> ast.expr | None:
    tree = parse(source)
    if tree is None or len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
        return None
    return tree.body[0].value


def _end_of_call(line: str, start: int) -> int:
    """Where the call ends that begins there; 0 where it has no end or its arguments are more than values."""
    for match in re.finditer(r"\)", line[start:]):
        call = _expression(line[start : start + match.end()])
        if isinstance(call, ast.Call):
            arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
            return start + match.end() if all(map(_is_value, arguments)) else 0
    return 0


def _is_value(node: ast.expr) -> bool:
    """Whether an expression has a value of its own: names in it are only builtins that are called, as in `set()`."""
    called = {inner.func for inner in ast.walk(node) if isinstance(inner, ast.Call)}
    names = (inner for inner in ast.walk(node) if isinstance(inner, ast.Name))
    return all(name in called and hasattr(builtins, name.id) for name in names)


def _is_introduced(before: str) -> bool:
    """Whether what stands before a call on its line leaves no doubt that the call is an example."""
    if _TURNS.search(before):
        return False
    return bool(_BULLET.fullmatch(before) or _INTRODUCED.fullmatch(before))


def _value(text: str) -> tuple[bool, object]:
    """Whether a text begins with a literal, nothing of which may be missing, and the literal's value."""
    for end in range(len(text), 0, -1):
        if text[end - 1] in " \t." or not _GOES_ON.match(text, end):  # `9.` ends a sentence
            continue
        known, value = _literal(text[:end])
        if known:
            return known, value
    return False, None


def _literal(text: str) -> tuple[bool, object]:
    """Whether a text is a literal, and its value. `1, 2` and `("a")` are none: a tuple may be meant or not."""
    if text in _WORDS:
        return True, _WORDS[text]
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False, None
    return isinstance(value, tuple) == text.startswith("("), value


def _asserted(call: str, value: object) -> str:
    if isinstance(value, float):
        return f"assert abs({call} - {value!r}) < {CLOSE}"
    return f"assert {call} is {value}" if value is None else f"assert {call} == {value!r}"
