"""Two programs side by side, for the page: which lines differ, and which words in them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

_WORD = re.compile(r"\w+|\s+|[^\w\s]")
ALIKE = 0.5
"""Lines less alike than this are marked whole: what little they share would only confuse."""

Piece = tuple[str, bool]
"""Text, and whether it differs from the other side."""


@dataclass(frozen=True)
class Line:
    """One line of one side; a filler where only the other side has a line."""

    pieces: tuple[Piece, ...]
    changed: bool
    filler: bool = False


FILLER = Line((), False, True)


def aligned(before: str, after: str) -> tuple[list[Line], list[Line]]:
    """The lines of both programs, equal ones at the same place, as many on one side as on the other.

    Lines that take each other's place are compared word by word.
    """
    old, new = before.splitlines(), after.splitlines()
    left, right = list[Line](), list[Line]()
    for tag, i, j, k, n in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            same = [Line(((text, False),), False) for text in old[i:j]]
            left += same
            right += same
            continue
        count = max(j - i, n - k)
        for one, other in zip(_padded(old[i:j], count), _padded(new[k:n], count), strict=True):
            pair = _compared(one, other)
            left.append(pair[0])
            right.append(pair[1])
    return left, right


def _padded(lines: Sequence[str], count: int) -> list[str | None]:
    return [*lines, *[None] * (count - len(lines))]


def _compared(one: str | None, other: str | None) -> tuple[Line, Line]:
    if one is None or other is None:
        return _whole(one), _whole(other)
    words, others = _WORD.findall(one), _WORD.findall(other)
    matcher = SequenceMatcher(None, words, others, autojunk=False)
    if matcher.ratio() < ALIKE:
        return _whole(one), _whole(other)
    left, right = list[Piece](), list[Piece]()
    for tag, i, j, k, n in matcher.get_opcodes():
        left.append(("".join(words[i:j]), tag != "equal"))
        right.append(("".join(others[k:n]), tag != "equal"))
    return _line(left), _line(right)


def _whole(text: str | None) -> Line:
    """A line that differs altogether, but for its indentation."""
    if text is None:
        return FILLER
    code = text.lstrip()
    return _line([(text[: len(text) - len(code)], False), (code, True)])


def _line(pieces: Sequence[Piece]) -> Line:
    return Line(tuple(piece for piece in pieces if piece[0]), True)
