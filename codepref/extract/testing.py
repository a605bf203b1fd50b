"""Tests in a model's answer: single assertions with what they need, or whole statements that assert.

The answer's own copy of the function under test is never tested: whatever binds its name goes. Test functions, tables
with a loop and methods of `unittest` classes are taken apart where that provably changes nothing (`unrolling`); else
they stay whole, as one test.
"""

import ast
import re
import textwrap
from collections.abc import Iterator

from codepref.extract.mains import stdin_tests
from codepref.extract.markdown import blocks, one_liners
from codepref.extract.stretches import pieces
from codepref.extract.syntax import Rejected, bound, lines, named, program, shorten
from codepref.extract.thoughts import spoken
from codepref.extract.unrolling import Unit, units
from codepref.extract.usage import needs
from codepref.stdin import read_test

_LISTED = re.compile(r"^[ \t]*(?:[-*+]|\d+[.)])[ \t]+`?(?=assert\b)", re.MULTILINE)
_TESTS = re.compile(r"^[ \t]*(?:assert\b|(?:async[ \t]+)?def[ \t]+test|class[ \t]+\w*Test|@pytest)", re.MULTILINE)


def tests(text: str, entry_point: str) -> tuple[list[str], list[Rejected]]:
    """The tests in a model's answer.

    Args:
        text: The answer, raw: assert statements, fenced blocks with them, test functions, tables with a loop.
        entry_point: The function under test; a test that does not use it is rejected. Empty for a whole program, whose
            tests are by input and output.

    Returns:
        The tests in order, and what was rejected: `unparseable`, `no call`, `no assert`, `empty`, `unfinished thought`,
        `no input and output`.
    """
    given = read_test(text)
    if given is not None:
        return [given.text], []
    if not entry_point:
        return stdin_tests(text)
    answer = spoken(text)
    if answer is None:
        return [], [Rejected("unfinished thought")]
    broken: list[Rejected] = []
    source = "\n".join(part for body in _bodies(answer) for part in _readable(body, broken))
    try:
        items = list(_items(source, entry_point))
    except RecursionError:
        items = [Rejected("unparseable", "nested too deeply")]
    found = [item for item in items if isinstance(item, str)]
    rejected = [*(item for item in items if isinstance(item, Rejected)), *broken]
    if not found and not rejected:
        rejected.append(Rejected("no assert", shorten(answer)) if answer.strip() else Rejected("empty"))
    return found, rejected


def _bodies(answer: str) -> Iterator[str]:
    """Texts that may hold tests: the code blocks, else all of it."""
    usable = [block for block in blocks(answer) if block.language != "other"]
    if program(answer) is not None or not any(_TESTS.search(block.text) for block in usable):
        listed = [line for line in one_liners(answer) if line.startswith("assert ")]
        yield "\n".join(listed) if listed and program(answer) is None else _LISTED.sub("", answer)
        return
    for block in usable:
        rows = lines(block.text)
        # an answer that ends at the token limit ends anywhere: `== 12` may be the beginning of `== 120`
        is_cut = not block.closed and block is usable[-1] and not answer.endswith(("\n", "\r"))
        yield "".join(rows[:-1] if is_cut and len(rows) > 1 else rows)


def _readable(body: str, rejected: list[Rejected]) -> Iterator[str]:
    """The parts of a text that parse; of a test function that was cut off its beginning."""
    body = body.strip("\r\n")
    for text in (body, textwrap.dedent(body)):
        if program(text) is not None:
            yield text
            return
    first = re.match(r"[ \t]*", body)
    for piece, is_code in pieces(textwrap.dedent(body) if first and first[0] else body):
        text = piece if is_code else _beginning(piece)
        if text.strip():
            yield text
        if not is_code and _TESTS.search(piece.removeprefix(text)):
            rejected.append(Rejected("unparseable", shorten(piece.removeprefix(text))))


def _beginning(piece: str) -> str:
    """The longest beginning of a piece that parses: whole lines of a function, or an assertion before prose."""
    rows = lines(piece)
    if not _TESTS.match(piece) and not piece.startswith(("for ", "with ")):
        return ""
    texts = ("".join(rows[:end]) for end in range(len(rows) - 1, 0, -1))
    return next((text for text in texts if program(text) is not None), "")


def _items(source: str, entry_point: str) -> Iterator[str | Rejected]:
    tree = program(source)
    if tree is None:
        return
    body = [inner for node in tree.body for inner in _without_copy(node, entry_point)]
    for unit in units(body, entry_point):
        if isinstance(unit, Rejected):
            yield unit
            continue
        test = _text(unit, source, entry_point)
        if entry_point not in named(program(test) or ast.Module([], [])):
            yield Rejected("no call", f"does not use {entry_point}: {shorten(test)}")
        else:
            yield test


def _without_copy(node: ast.stmt, entry_point: str) -> list[ast.stmt]:
    """A statement, unless it defines the function under test: then the assertions on that function in its body.

    Models fill the function they were shown with its tests; what such a test says does not depend on the body.
    """
    if entry_point not in bound(node):
        return [node]
    if not isinstance(node, ast.FunctionDef):
        return []
    local = {argument.arg for argument in node.args.args}.union(*(bound(inner) for inner in node.body))
    return [
        inner
        for inner in node.body
        if isinstance(inner, ast.Assert) and entry_point in named(inner.test) and not local & named(inner.test)
    ]


def _text(unit: Unit, source: str, entry_point: str) -> str:
    """A test as a text: what its statement needs, then itself; as written where it was not taken apart."""
    before = needs(unit.before, unit.statement, entry_point)
    parts = [_as_written(node, source) for node in (*before, unit.statement)]
    return "\n".join([*parts, *unit.calls])


def _as_written(node: ast.stmt, source: str) -> str:
    if not hasattr(node, "lineno") or getattr(node, "is_new", False):
        return ast.unparse(node)
    rows = lines(source)
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    whole = "".join(rows[first - 1 : node.end_lineno])
    text = ast.get_source_segment(source, node) or ast.unparse(node)
    if textwrap.dedent(whole).strip().startswith(("@", text.split("\n", 1)[0])) and whole.strip().endswith(text[-1:]):
        shortened = textwrap.dedent(whole).strip()
        again = program(shortened)
        if again is not None and len(again.body) == 1 and ast.dump(again.body[0]) == ast.dump(node):
            return re.sub(r"[ \t]*#[^\n\"']*\Z", "", shortened) if "\n" not in shortened else shortened
    again = program(text)
    return text if again is not None and ast.dump(again.body[0]) == ast.dump(node) else ast.unparse(node)
