"""Stretches of a text that are Python, between prose and broken code."""

import ast
import re

from codepref.extract.syntax import dedented, lines, program

_GOES_ON = re.compile(r"(?:else|elif|except|finally)\b|[)\]}]")
_OPENS = re.compile(r"'''|\"\"\"|[\[({]|\\\r?$", re.M)
_OPENER = re.compile(
    r"\s*(?:class|(?:async\s+)?(?:def|for|with)|if|elif|else|try|except|finally|while|match|case)\b.*:"
)
MERGED = 60
"""How many chunks one statement may have: lines in column 0 inside a string or brackets."""
TRIES = 3000
"""How often a text is parsed at most."""


def stretches(text: str, least: int = 0) -> list[str]:
    """The longest runs of lines that parse, in order; prose that happens to parse is none.

    Args:
        text: Any text.
        least: Only runs that go beyond so many lines of the text.
    """
    found, run, end = list[str](), list[str](), 0
    for piece, is_code in pieces(text):
        if is_code:
            run.append(piece)
        else:
            found += _kept(run, end, least)
            run = []
        end += len(lines(piece))
    return found + _kept(run, end, least)


def pieces(text: str) -> list[tuple[str, bool]]:
    """The text cut where statements begin in column 0, and whether each piece is code."""
    if "\0" in text:
        return [(text, False)]
    chunks = _chunks(text)
    found, number, tries = list[tuple[str, bool]](), 0, 0
    while number < len(chunks):
        length, tried = _statement(chunks, number) if tries < TRIES else (0, 0)
        tries += tried
        found.append(("".join(chunks[number : number + max(1, length)]), length > 0))
        number += max(1, length)
    return found


def _kept(run: list[str], end: int, least: int) -> list[str]:
    text = "".join(run)
    return [text] if end > least and text.strip() and program(text) is not None else []


def _chunks(text: str) -> list[str]:
    """The text cut before every line in column 0 that may begin a statement."""
    found: list[str] = []
    decorated = False
    for row in lines(text):
        begins = bool(row.strip()) and not row[0].isspace() and not _GOES_ON.match(row) and not decorated
        if begins or not found:
            found.append(row)
        else:
            found[-1] += row
        if row.strip() and not row[0].isspace():
            decorated = row.startswith("@")
    return found


def _statement(chunks: list[str], number: int) -> tuple[int, int]:
    """How many chunks make code from one on (0: it is none), and how often that was tried."""
    if _is_code(chunks[number]):
        return 1, 1
    if not _OPENS.search(chunks[number]):
        return 0, 1
    text = chunks[number]
    for more in range(1, min(MERGED, len(chunks) - number)):
        text += chunks[number + more]
        if _is_code(text):
            return more + 1, more + 1
    return 0, MERGED


def _is_code(text: str) -> bool:
    """Whether a text parses and is more than words: `Solution` and `Output: 5` parse, too."""
    tree = program(text)
    return tree is not None and not any(_is_prose(node) for node in tree.body)


def _is_prose(node: ast.stmt) -> bool:
    if isinstance(node, ast.AnnAssign):
        return node.value is None
    if not isinstance(node, ast.Expr) or isinstance(node.value, ast.Constant):
        return isinstance(node, ast.Expr) and not isinstance(getattr(node.value, "value", ""), str)
    return not any(isinstance(inner, ast.Call | ast.Await) for inner in ast.walk(node.value))


def indented_stretches(text: str, entry_point: str) -> list[str]:
    """Stretches around a definition of the entry point that is indented as a whole, as in a list; not a method."""
    rows = lines(text)
    found: list[str] = []
    for number, row in enumerate(rows):
        match = re.match(rf"([ \t]+)(?:async\s+)?def\s+{re.escape(entry_point)}\b", row)
        if match:
            first, end = number, number + 1
            while first > 0 and (rows[first - 1].startswith(match[1]) or not rows[first - 1].strip()):
                first -= 1
            while end < len(rows) and (rows[end].startswith(match[1]) or not rows[end].strip()):
                end += 1
            if first == 0 or not _OPENER.match(rows[first - 1]):
                found += stretches(dedented("".join(rows[first:end])))
    return found
