"""How long it takes to diff and filter pairs of programs, on one core.

    python benchmarks/linediff_speed.py [--pairs 100000] [--lines 60]

Three kinds of pairs, all with programs of the given length: a repair (1 to 6 lines changed, the usual case), a program
of which every second line changed, and two programs that share nothing but a few lines.
"""

import argparse
import json
import random
import time
from collections.abc import Iterator

from builders.codeflow import filters
from builders.codeflow.filters import Filters
from builders.codeflow.spans import located

KINDS = ("repair", "every second line", "unrelated")
OPERATORS = ("+", "-", "*", "//", "%")


def statement(draw: random.Random) -> str:
    """One line of a function."""
    name, other = draw.choice("abcdefgh"), draw.choice("abcdefgh")
    return f"    {name} = {other} {draw.choice(OPERATORS)} {draw.randrange(1, 100)}"


def program(draw: random.Random, lines: int) -> list[str]:
    """A function of some statements."""
    return [
        "def f(a, b=1, c=2, d=3, e=4, f=5, g=6, h=7):",
        *(statement(draw) for _ in range(lines - 2)),
        "    return a",
    ]


def changed(draw: random.Random, lines: list[str], count: int) -> list[str]:
    """The program with some statements replaced, inserted or removed."""
    found = list(lines)
    for _ in range(count):
        place, kind = draw.randrange(1, len(found) - 1), draw.randrange(3)
        if kind == 0:
            found[place] = statement(draw)
        elif kind == 1:
            found.insert(place, statement(draw))
        else:
            del found[place]
    return found


def pairs(kind: str, count: int, lines: int) -> Iterator[tuple[str, str]]:
    """Chosen and rejected programs."""
    draw = random.Random(kind)
    for _ in range(count):
        chosen = program(draw, lines)
        if kind == "repair":
            rejected = changed(draw, chosen, draw.randrange(1, 7))
        elif kind == "every second line":
            rejected = [statement(draw) if n % 2 and 0 < n < lines - 1 else line for n, line in enumerate(chosen)]
        else:
            rejected = program(draw, lines)
        yield "\n".join(chosen) + "\n", "\n".join(rejected) + "\n"


def measure(kind: str, count: int, lines: int) -> dict[str, float | str]:
    """CPU seconds for the diff, and for the diff and all rule filters."""
    made = list(pairs(kind, count, lines))
    config = Filters(max_changed_lines=1000)  # so that no pair is spared the comparison of its syntax trees
    begin = time.process_time()
    for chosen, rejected in made:
        located("line", chosen, rejected)
    diffed = time.process_time() - begin
    begin = time.process_time()
    kept = 0
    for chosen, rejected in made:
        found = located("line", chosen, rejected)
        sizes = filters.sizes(config, chosen, rejected)
        kept += filters.rule(config, chosen, rejected, found.diff, sizes) is None
    whole = time.process_time() - begin
    return {"pairs": kind, "diff_s": diffed, "diff_and_filters_s": whole, "kept": kept / count}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--lines", type=int, default=60)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    arguments = parser.parse_args()
    print(f"CPU seconds for {arguments.pairs:,} pairs of {arguments.lines} lines")
    print(f"{'pairs':<20}{'diff':>10}{'with filters':>14}{'kept':>8}")
    for kind in arguments.kinds:
        row = measure(kind, arguments.pairs, arguments.lines)
        print(f"{row['pairs']:<20}{row['diff_s']:>10.1f}{row['diff_and_filters_s']:>14.1f}{row['kept']:>8.1%}")
        print(json.dumps({"benchmark": "linediff_speed", "count": arguments.pairs, "lines": arguments.lines, **row}))


if __name__ == "__main__":
    main()
