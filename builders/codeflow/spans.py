"""Where in two programs the difference lies: whole lines, the tokens inside them, or the syntax nodes around those.

- `line`: every changed line, as the paper has it.
- `token`: inside the changed lines, the words and signs that are not in a longest common subsequence of the changed
  lines that stand between the same two common lines. A changed line of which nothing is left keeps all of itself: what
  is missing there stands nowhere, and the line as a whole is what went wrong.
- `ast`: each of those tokens, widened to the smallest syntax node that holds it, within its line.

All are spans within changed lines, so whatever `line` leaves out the finer ones leave out too.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from builders.codeflow.linediff import Diff, Span, common, diff, lines_of, spans
from codepref.extract import parse

Focus = Literal["line", "token", "ast"]
_TOKEN = re.compile(r"^[ \t]+|\w+|[^\w\s]")
"""Indentation, a name or number, or one sign."""


@dataclass(frozen=True)
class Located:
    """The difference of two programs, as lines and as spans."""

    diff: Diff
    chosen: tuple[Span, ...]
    rejected: tuple[Span, ...]


def located(focus: Focus, chosen: str, rejected: str) -> Located:
    """Spans of what only the chosen and of what only the rejected program holds."""
    both = lines_of(chosen), lines_of(rejected)
    found = diff(*both)
    whole = spans(chosen, found.plus), spans(rejected, found.minus)
    if focus == "line":
        return Located(found, *whole)
    places = dict(zip(found.plus, whole[0], strict=True)), dict(zip(found.minus, whole[1], strict=True))
    tokens = list[Span](), list[Span]()
    for plus, minus in _hunks(found, len(both[0]), len(both[1])):
        for side, held in enumerate(_differing(chosen, rejected, places[0], places[1], plus, minus)):
            tokens[side].extend(held)
    if focus == "token":
        return Located(found, tuple(tokens[0]), tuple(tokens[1]))
    return Located(found, _widened(chosen, tokens[0], whole[0]), _widened(rejected, tokens[1], whole[1]))


def _hunks(found: Diff, left: int, right: int) -> Iterator[tuple[list[int], list[int]]]:
    """Changed lines of both sides between two neighbouring common lines."""
    plus, minus = set(found.plus), set(found.minus)
    i = j = 0
    while i < left or j < right:
        here: tuple[list[int], list[int]] = [], []
        while i in plus:
            here[0].append(i)
            i += 1
        while j in minus:
            here[1].append(j)
            j += 1
        if here[0] or here[1]:
            yield here
        i, j = i + 1, j + 1


def _differing(
    chosen: str,
    rejected: str,
    plus_places: dict[int, Span],
    minus_places: dict[int, Span],
    plus: Sequence[int],
    minus: Sequence[int],
) -> tuple[list[Span], list[Span]]:
    """Spans of one hunk's tokens that are not common, for both sides."""
    left = [_tokens(chosen, plus_places[number]) for number in plus]
    right = [_tokens(rejected, minus_places[number]) for number in minus]
    words = [chosen[a:b] for line in left for a, b in line], [rejected[a:b] for line in right for a, b in line]
    pairs = common(*words)
    return (
        _left_over(left, {i for i, _ in pairs}, [plus_places[number] for number in plus]),
        _left_over(right, {j for _, j in pairs}, [minus_places[number] for number in minus]),
    )


def _tokens(text: str, line: Span) -> list[Span]:
    first, last = line
    return [(first + match.start(), first + match.end()) for match in _TOKEN.finditer(text[first:last])]


def _left_over(tokens: Sequence[Sequence[Span]], shared: set[int], whole: Sequence[Span]) -> list[Span]:
    """What is left of each line; the line itself where nothing is."""
    found, number = list[Span](), 0
    for line, span in zip(tokens, whole, strict=True):
        kept = [token for place, token in enumerate(line, number) if place not in shared]
        found += kept or [span]
        number += len(line)
    return found


def _widened(text: str, tokens: Sequence[Span], whole: Sequence[Span]) -> tuple[Span, ...]:
    nodes = sorted(_nodes(text), key=lambda node: node[1] - node[0])
    found = set[Span]()
    for first, last in tokens:
        line = next(span for span in whole if span[0] <= first and last <= span[1])
        node = next((node for node in nodes if node[0] <= first and last <= node[1]), line)
        found.add((max(node[0], line[0]), min(node[1], line[1])))
    return tuple(_merged(sorted(found)))


def _merged(ordered: Sequence[Span]) -> Iterator[Span]:
    """The same characters as disjoint spans."""
    held: Span | None = None
    for span in ordered:
        if held is not None and span[0] < held[1]:
            held = held[0], max(held[1], span[1])
        else:
            if held is not None:
                yield held
            held = span
    if held is not None:
        yield held


def _nodes(text: str) -> Iterator[Span]:
    """Spans of all syntax nodes that stand somewhere; none where the program does not parse."""
    begins, at = list[int](), 0
    found = text.split("\n")
    for line in found:
        begins.append(at)
        at += len(line) + 1

    def offset(line: int, column: int) -> int:  # ast counts bytes
        return begins[line - 1] + len(found[line - 1].encode()[:column].decode(errors="ignore"))

    for node in ast.walk(parse(text) or ast.Module([], [])):
        if isinstance(node, ast.expr | ast.stmt | ast.arg | ast.keyword | ast.alias | ast.excepthandler):
            end, column = node.end_lineno, node.end_col_offset
            if end is not None and column is not None and end <= len(found):
                yield offset(node.lineno, node.col_offset), offset(end, column)
