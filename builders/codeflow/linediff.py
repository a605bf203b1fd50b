"""Exact differences between the lines of two programs, as line numbers and as character spans.

D- are the lines of the rejected program that are not in a longest common subsequence of the lines of both, D+ those of
the chosen one (Algorithm 1 of arXiv 2503.02783). Lines are compared without their line break.

Several subsequences can be longest. The one taken here does not depend on which program comes first: the common lines
at the beginning and then at the end belong to it; in between, from the end on, each next pair of equal lines is the one
farthest on (largest sum of line numbers; of two such pairs the line that sorts last).

Lengths are found with one bit a line in an integer of any size (Hyyro 2004, Bit-parallel LCS-length computation
revisited): one addition for each line of the other program.
"""

from collections.abc import Sequence
from dataclasses import dataclass

Span = tuple[int, int]
"""[first, last + 1), in code points."""


@dataclass(frozen=True)
class Diff:
    """What changed between two programs."""

    plus: tuple[int, ...]
    """Numbers of the lines that only the chosen program has, from 0."""
    minus: tuple[int, ...]
    """Numbers of the lines that only the rejected program has."""


def diff(chosen: Sequence[str], rejected: Sequence[str]) -> Diff:
    """The lines that are not in the common subsequence of two programs, given as lines (`lines`)."""
    pairs = common(chosen, rejected)
    return Diff(_others(len(chosen), {i for i, _ in pairs}), _others(len(rejected), {j for _, j in pairs}))


def _others(count: int, taken: set[int]) -> tuple[int, ...]:
    return tuple(number for number in range(count) if number not in taken)


def lines_of(text: str) -> list[str]:
    """The lines of a program, without line breaks (`\\n` or `\\r\\n`)."""
    found = text.split("\n")
    if not found[-1]:
        found.pop()
    return [line.removesuffix("\r") for line in found] if "\r" in text else found


def spans(text: str, numbers: Sequence[int]) -> tuple[Span, ...]:
    """Where lines stand in a program: one span a line, from its first character to before its line break.

    A blank line has an empty span, so the beginnings of the spans always tell which lines they are.

    Args:
        text: The program.
        numbers: Line numbers from 0, ascending.
    """
    wanted, found, first = set(numbers), list[Span](), 0
    for number, line in enumerate(text.split("\n")):
        if number in wanted:
            found.append((first, first + len(line.removesuffix("\r"))))
        first += len(line) + 1
    return tuple(found)


def common(left: Sequence[str], right: Sequence[str]) -> list[tuple[int, int]]:
    """The longest common subsequence of two sequences, as pairs of positions in order (module docstring)."""
    shortest = min(len(left), len(right))
    head = next((n for n in range(shortest) if left[n] != right[n]), shortest)
    tail = next((n for n in range(shortest - head) if left[-1 - n] != right[-1 - n]), shortest - head)
    middle = _longest(left[head : len(left) - tail], right[head : len(right) - tail])
    return [
        *((n, n) for n in range(head)),
        *((head + i, head + j) for i, j in middle),
        *((len(left) - n, len(right) - n) for n in range(tail, 0, -1)),
    ]


def _longest(left: Sequence[str], right: Sequence[str]) -> list[tuple[int, int]]:
    """From the last rank to the first, each time the farthest pair before the one taken last.

    Of two pairs equally far on and with the same line, the corner between them is a pair as well and farther on: no two
    pairs ever tie.
    """
    taken = list[tuple[int, int]]()
    end = len(left), len(right)
    for pairs in reversed(_ranked(left, right)):
        before = [pair for pair in pairs if pair[0] < end[0] and pair[1] < end[1]]
        end = max(before, key=lambda pair: (sum(pair), left[pair[0]]))
        taken.append(end)
    return taken[::-1]


def _ranked(left: Sequence[str], right: Sequence[str]) -> list[list[tuple[int, int]]]:
    """All pairs of equal items by rank: the length of the longest common subsequence that ends with the pair."""
    places = dict[str, list[int]]()
    for j, item in enumerate(right):
        places.setdefault(item, []).append(j)
    masks = {item: sum(1 << j for j in found) for item, found in places.items()}
    row = full = (1 << len(right)) - 1  # bit j is 0 where the length grows from right[:j] to right[:j + 1]
    ranks = list[list[tuple[int, int]]]()
    for i, item in enumerate(left):
        if item not in masks:
            continue
        equal = row & masks[item]
        row = (row + equal | row - equal) & full
        for j in places[item]:
            rank = j + 1 - (row & (2 << j) - 1).bit_count()
            if rank > len(ranks):
                ranks.append([])
            ranks[rank - 1].append((i, j))
    return ranks
