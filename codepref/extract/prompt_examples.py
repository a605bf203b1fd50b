"""Examples in a prompt, as tests of known truth: whoever wrote the prompt says what the function returns.

Read are doctests (`>>> f(2)`, then the value), lines that say what one call gives (`f(2) == 4`, `f(2) -> 4`,
`f(2) returns 4`, `f(2)  # => 4`), inputs with their outputs (`Input: x = 2`, then `Output: 4`; `for x = 2 the output
should be 4`) and `assert` statements. Only what reads in one way is taken: values for arguments, a literal for the
result, nothing around them that may turn the sentence round. What is left out costs evidence; what is read wrongly
would be evidence for wrong codes. So nothing is read where a prompt asks for random results, shows what a wrong code
does, or gives the same call two values. Which words raise such doubts is in `doubts`.
"""

import ast
import builtins
import decimal
import doctest
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from codepref.extract import doubts
from codepref.extract.syntax import bound, named, parse
from codepref.extract.testing import tests
from codepref.files import LineError, json_word
from codepref.stdin import read_test, text_of

_FENCES = re.compile(r'"""|\'\'\'|```[ \t]*\w*')
"""What ends a doctest without a blank line: the docstring's or the Markdown block's own marks."""
_GIVES = re.compile(
    r"`?\s*(?:#\s*(?:=+>|-+>|returns?\b|gives\b)?|//\s*(?:=+>|-+>|returns?\b|gives\b)|=+>|-+>|={1,2}|[→➞⇒]|"
    r"(?:should |must |will )?(?:returns?|gives?|yields?|outputs?|evaluates to|equals?)\b)\s*`?"
)
"""What stands between a call and its value. `f(7) // 2` may be a division."""
_BULLET = re.compile(r"[\s`>#/*•-]*(?:\d+[.)]\s*)?`?")
_INTRODUCED = re.compile(
    r"[ `>#*•-]*(?:\d+[.)] ?)?(?:(?:and|also|for|so|thus|an|as|e\.g\.|i\.e\.|examples?|instance|test|edge|corner|base|"
    r"special|cases?|tests|expected|output|correct|zum|par|por|beispiel|exemple|ejemplo|esempio|пример|например|例如|例)"
    r"(?!\w)(?: ?\d+)?(?: ?[:,：，])? ?)++[`>-]*",
    re.IGNORECASE,
)
"""What may stand before a call on its line."""
_GOES_ON = re.compile(
    r"`?\s*(?:[.,;]*\s*$|#|//|\(|[.,;]?\s*(?:because|since|as (?:it|the|there|they)|and)\b|[,;]\s*`?\w+\()"
)
"""What may stand after a value; else it may be the beginning of something longer."""
_INPUT = re.compile(
    r"\binput ?\d*:\s{0,80}(\S.*?)[,;]?\s{0,80}(?:->|=>)?\s{0,80}\b(?:expected )?output ?\d*:\s{0,80}(.+)", re.I
)
_FOR = re.compile(r"\b(?:for|if|when|given|with)\s+`?(\w+\s*=.*)", re.I)
_OUTPUT = re.compile(r"\b(?:output|result|answer)\s+(?:should\s+be|must\s+be|will\s+be|would\s+be|is)\s+(.+)", re.I)
_WORDS = {"true": True, "false": False, "none": None, "null": None}
CLOSE, HALF_A_DIGIT = 1e-6, 0.05
"""How far a result may be from a fraction that an example names: half a unit of its last digit, between these two, as
the text may have rounded it."""
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
    head = _head(prompt, entry_point)
    doubt = doubts.of_prompt(prompt, head)
    readable = doubts.without_wrong_examples(
        [line for line in prompt.splitlines() if len(line) <= LONGEST_LINE], entry_point
    )
    found = [test for part in _FENCES.split(readable) for test in _of_part(part, entry_point, head, doubt)]
    defined = {match[1] for match in re.finditer(r"\b(?:def|class)\s+(\w+)", prompt)} | {entry_point}
    return _without_contradictions([test for test in dict.fromkeys(found) if _has_its_names(test, defined)])


def _of_part(part: str, entry_point: str, head: ast.FunctionDef | None, doubt: doubts.Doubt) -> list[str]:
    """The examples in a part of a prompt; none where it is nested too deeply or a number is too long to be written."""
    try:
        said = list(_asserts(part, entry_point))
        if not doubt.all_values:
            said += _doctests(part, entry_point, doubt)
        if not doubt.all_values and not doubt.sentences:
            said += _sentences(part, entry_point, doubt)
            said += _inputs(part, entry_point, head, doubt)
        return [test for text in said for test in tests(text, entry_point)[0]]
    except (RecursionError, ValueError):
        return []


def _has_its_names(test: str, defined: set[str]) -> bool:
    """Whether all names in a test are its own, Python's or defined in the prompt; else it says nothing of the code."""
    tree = parse(test)
    if tree is None:
        return False
    own = {argument.arg for node in ast.walk(tree) if isinstance(node, ast.arguments) for argument in node.args}
    own |= {name for node in ast.walk(tree) if isinstance(node, ast.stmt | ast.comprehension) for name in bound(node)}
    return all(name in own | defined or hasattr(builtins, name) for name in named(tree))


def _without_contradictions(found: list[str]) -> list[str]:
    """The tests but those that say two things of one call: there is a state, or one says what a wrong code does."""
    said = [_said(test) for test in found]
    values = dict[str, set[str]]()
    for call, value in filter(None, said):
        values.setdefault(call, set()).add(value)
    return [test for test, pair in zip(found, said, strict=True) if pair is None or len(values[pair[0]]) == 1]


def _said(test: str) -> tuple[str, str] | None:
    """The call and the value of a test `assert call == value`."""
    tree = parse(test)
    statement = tree.body[0] if tree is not None and len(tree.body) == 1 else None
    compared = statement.test if isinstance(statement, ast.Assert) else None
    if not isinstance(compared, ast.Compare) or not isinstance(compared.ops[0], ast.Eq | ast.Is):
        return None
    known, value = _literal(ast.unparse(compared.comparators[0]))
    return (ast.dump(compared.left), repr(value)) if known else None


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
        if entry_point and usable and read_test(usable[0]) is not None:
            raise LineError(f"examples[{index}] is by input and output", f"write an assert on {entry_point}")
        if rejected:
            problem = " ".join(filter(None, (rejected[0].rule, rejected[0].detail)))
            wanted = f"an assert on {entry_point}" if entry_point else 'a test {"input": ..., "output": ...}'
            raise LineError(f"examples[{index}] is no test: {problem}", f"write {wanted}, or leave it out")
        found += usable
    return tuple(dict.fromkeys(found))


def _doctests(text: str, entry_point: str, doubt: doubts.Doubt) -> Iterator[str]:
    """Assertions made of `>>>` lines and the values under them, each after the statements before it."""
    try:
        items = doctest.DocTestParser().get_examples(text)
    except ValueError:  # it is laid out in a way that doctest refuses
        return
    before, used = "", set[str]()
    for item in items:
        call = _expression(item.source)
        if call is None:
            before += item.source
        elif not item.want and isinstance(call, ast.Call) and not _returns_none(call, entry_point):
            return  # it is called for its effect: what follows may depend on it
        elif entry_point in named(call) and item.want and not used & named(call):
            is_plain = not item.options and not doubts.in_comment(item.source) and not doubts.is_unclear(item.source)
            if is_plain:
                yield from (before + said for said in _shown(call, item.want.rstrip("\n"), doubt))
            used |= named(call) & bound(parse(before) or ast.Module([], []))  # the function may change its arguments


def _returns_none(call: ast.Call, entry_point: str) -> bool:
    """Whether a call under which nothing is shown is one more example, with None for a result."""
    return isinstance(call.func, ast.Name) and call.func.id == entry_point and all(map(_is_value, call.args))


def _shown(call: ast.expr, want: str, doubt: doubts.Doubt) -> Iterator[str]:
    """The assertion that a doctest makes: what is printed, or the value of an expression."""
    if doubts.is_unclear(want) or doubts.in_comment(want):
        return
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "print":
        if len(call.args) == 1 and not call.keywords and "<BLANKLINE>" not in want:
            yield f"assert str({ast.unparse(call.args[0])}) == {want!r}"
        return
    known, value = _literal(want.strip())
    if known and isinstance(call, ast.Compare) and value is True:
        yield f"assert {ast.unparse(call)}"
    elif known and doubt.allows(value):
        yield from _asserted(ast.unparse(call) if isinstance(call, ast.Call) else f"({ast.unparse(call)})", value)


def _sentences(text: str, entry_point: str, doubt: doubts.Doubt) -> Iterator[str]:
    """Assertions made of lines such as `f(2) == 4`."""
    name = re.compile(rf"(?<![\w.]){re.escape(entry_point)}\(")
    rows = text.splitlines()
    for line, below in zip(rows, [*rows[1:], ""], strict=True):
        is_shown = line.lstrip().startswith(">>>") and below.strip() and not below.lstrip().startswith(">>>")
        if is_shown or re.search(r"\b(?:assert|def)\b", line):
            continue
        for match in name.finditer(line):
            end = _end_of_call(line, match.start())
            gives = _GIVES.match(line, end) if end else None
            if gives is None or not _is_introduced(line[: match.start()], entry_point):
                continue
            known, value = _value(line[gives.end() :], below)
            if known and doubt.allows(value) and not doubts.is_unclear(line[match.start() : end]):
                yield from _asserted(line[match.start() : end], value)


def _head(prompt: str, entry_point: str) -> ast.FunctionDef | None:
    """The first line of the entry point, where the prompt shows it."""
    start = re.search(rf"\bdef\s+{re.escape(entry_point)}\s*\(", prompt)
    head = "\n".join(prompt[start.start() :].splitlines()[:LONGEST])[:LONGEST_LINE] if start else ""
    for end in re.finditer(":", head):
        tree = parse(f"{head[: end.end()]} pass")
        if tree is not None and isinstance(tree.body[0], ast.FunctionDef):
            return tree.body[0]
    return None


def _inputs(text: str, entry_point: str, head: ast.FunctionDef | None, doubt: doubts.Doubt) -> Iterator[str]:
    """Assertions made of inputs and the outputs said to belong to them."""
    if head is None or doubt.inputs or head.args.vararg or head.args.kwonlyargs or head.args.kwarg:
        return
    for match in _INPUT.finditer(text):
        given = _arguments(match[1].strip("` "), head.args)
        known, value = _value(match[2].lstrip("`"), text[match.end() :].removeprefix("\n").partition("\n")[0])
        if given and known and doubt.allows(value):
            yield from _asserted(f"{entry_point}({given})", value)
    rows = text.splitlines()
    for line, below in zip(rows, [*rows[1:], ""], strict=True):
        output = _OUTPUT.search(line)
        start = _FOR.search(line[: output.start()]) if output else None
        if output is None or start is None or doubts.before(line[: start.start()]):
            continue
        given = _named_arguments(start[1][:LONGEST_ARGUMENTS], head.args)
        known, value = _value(output[1].lstrip("`"), below)
        if given and known and doubt.allows(value):
            yield from _asserted(f"{entry_point}({given})", value)


def _named_arguments(text: str, parameters: ast.arguments) -> str:
    """The arguments at the beginning of a text; empty where what follows may say something else of them."""
    for end in range(len(text), 0, -1):
        given = "" if text[:end].rstrip().endswith(",") else _arguments(text[:end], parameters)
        if given:
            return given if doubts.ends_condition(text[end:]) else ""
    return ""


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
    annotations = {parameter.arg: parameter.annotation for parameter in (*parameters.posonlyargs, *parameters.args)}
    if not all(doubts.fits(annotations[name], *_literal(ast.unparse(value))) for name, value in given.items()):
        return ""
    return ", ".join(ast.unparse(given[name]) for name in first)


def _asserts(text: str, entry_point: str) -> Iterator[str]:
    """The `assert` statements on the entry point."""
    rows = text.splitlines()
    for number, row in enumerate(rows):
        indent = row[: len(row) - len(row.lstrip())]
        start = re.search(r"\bassert\b", row)
        if start is None or doubts.before(row[: start.start()]) or doubts.in_comment(row[start.start() :]):
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
    """Whether an expression has a value of its own: names in it are only types that are called, as in `set()`."""
    if any(isinstance(inner, ast.Compare) for inner in ast.walk(node)):
        return False
    called = {inner.func for inner in ast.walk(node) if isinstance(inner, ast.Call)}
    names = (inner for inner in ast.walk(node) if isinstance(inner, ast.Name))
    return all(name in called and isinstance(getattr(builtins, name.id, None), type) for name in names)


def _is_introduced(before: str, entry_point: str) -> bool:
    """Whether what stands before a call on its line leaves no doubt that the call is an example."""
    if doubts.before(before):
        return False
    last = re.split(r"[.!] `?|。", " ".join(f"{before}|".split()))[-1].removesuffix("|")
    follows_another = f"{entry_point}(" in last and re.search(r"(?:[,;]\s*(?:and\s+)?|\sand\s+|\salso\s+)`?$", last)
    return bool(_BULLET.fullmatch(last) or _INTRODUCED.fullmatch(last) or follows_another)


def _value(text: str, below: str) -> tuple[bool, object]:
    """Whether a text begins with a literal, nothing of which may be missing, and the literal's value.

    Args:
        text: The rest of a line.
        below: The next line; what is said may go on there.
    """
    if doubts.below(text, below):
        return False, None
    for end in range(len(text), 0, -1):
        if text[end - 1] in " \t." or not _GOES_ON.match(text, end):  # `9.` ends a sentence
            continue
        known, value = _literal(text[:end])
        if known:
            has_doubt = doubts.after(text[end:]) or doubts.in_comment(text[:end]) or doubts.is_unclear(text[: end + 4])
            return not has_doubt, None if has_doubt else value
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


def _asserted(call: str, value: object) -> Iterator[str]:
    """The assertion that a call has a value; none where fractions stand too deep in it to be compared."""
    numbers = list(value) if isinstance(value, list | tuple) else [value]
    fractions = [item for item in numbers if isinstance(item, float)]
    is_flat = all(type(item) is int or (isinstance(item, float) and math.isfinite(item)) for item in numbers)
    if not _has_fractions(value):
        yield f"assert {call} is {value}" if value is None else f"assert {call} == {value!r}"
    elif fractions and is_flat:
        close = min(map(_closeness, fractions))  # all are rounded alike
        if isinstance(value, float):
            yield f"assert abs({call} - {value!r}) < {close}"
        else:
            yield f"assert all(abs(x - y) < {close} for x, y in zip({call}, {value!r}, strict=True))"


def _has_fractions(value: object) -> bool:
    if isinstance(value, dict):
        return any(_has_fractions(item) for pair in value.items() for item in pair)
    if isinstance(value, list | tuple | set):
        return any(map(_has_fractions, value))
    return isinstance(value, float | complex)


def _closeness(value: float) -> float:
    """Half a unit of a fraction's last digit, within limits; a little more, as sums of fractions are not exact."""
    digits = -int(decimal.Decimal(repr(value)).as_tuple().exponent)
    return min(max(CLOSE, round(0.5 * 10.0 ** -max(digits, 0) + CLOSE, 7)), HALF_A_DIGIT + CLOSE)
