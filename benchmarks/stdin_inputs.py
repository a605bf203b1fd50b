"""Inputs for the programs of `stdin_programs.py`: what the tasks of AtCoder and AIZU ask for, small and large.

Each maker takes a `random.Random` and gives inputs, the small ones first. Facts about a task (what stands on which
line, and within which bounds) are those of its public statement.
"""

import random
from collections.abc import Callable, Iterable

Maker = Callable[[random.Random], list[str]]


def line(*values: object) -> str:
    """Values on one line."""
    return " ".join(map(str, values)) + "\n"


def numbers(*values: int) -> Maker:
    """One number an input."""
    return lambda _: [line(value) for value in values]


def ints(source: random.Random, count: int, low: int, high: int) -> list[int]:
    """Random whole numbers, both bounds included."""
    return [source.randint(low, high) for _ in range(count)]


def listed(sizes: Iterable[int], low: int, high: int, *more: Callable[[random.Random, int], int]) -> Maker:
    """A length and other numbers on the first line, a list of that length on the second."""
    return lambda source: [
        line(size, *(make(source, size) for make in more)) + line(*ints(source, size, low, high)) for size in sizes
    ]


def fifth_powers(source: random.Random) -> list[str]:
    """p02690: a difference of two fifth powers."""
    found = [33, 1, 211, 119**5 - 118**5]
    return [line(value) for value in [*found, *(n**5 - (n - 1) ** 5 for n in ints(source, 4, 2, 118))]]


def palindromes(_: random.Random) -> list[str]:
    """p03416."""
    return [line(11009, 11332), line(31415, 92653), line(10000, 99999), line(12321, 12321)]


def vacations(source: random.Random) -> list[str]:
    """p03162."""
    return [
        line(size) + "".join(line(*ints(source, 3, 1, 10_000)) for _ in range(size)) for size in (1, 3, 7, 50, 40_000)
    ]


def halvings(source: random.Random) -> list[str]:
    """p03494."""
    found = [line(3) + line(8, 12, 40), line(4) + line(5, 6, 8, 10), line(1) + line(2**29)]
    return [*found, line(200) + line(*(2**20 * n for n in ints(source, 200, 1, 900)))]


def cakes(source: random.Random) -> list[str]:
    """p03078."""
    found = []
    for x, y, z, k in ((2, 2, 2, 8), (3, 3, 3, 5), (1, 1, 1, 1), (300, 300, 300, 3000)):
        found.append(line(x, y, z, k) + "".join(line(*ints(source, size, 1, 10**9)) for size in (x, y, z)))
    return found


def rewrites(source: random.Random) -> list[str]:
    """p03038."""
    found = []
    for n, m in ((3, 2), (10, 3), (5, 5), (60_000, 60_000)):
        pairs = "".join(line(source.randint(1, n), source.randint(1, 10**9)) for _ in range(m))
        found.append(line(n, m) + line(*ints(source, n, 1, 10**9)) + pairs)
    return found


def apples(_: random.Random) -> list[str]:
    """p02994."""
    return [line(5, 2), line(3, -1), line(30, -50), line(200, -100), line(2, 100)]


def halves(source: random.Random) -> list[str]:
    """p02814: twice an odd number each, so that there is something to count."""
    found = [line(2, 50) + line(6, 10), line(3, 100) + line(14, 22, 40), line(5, 10**9) + line(6, 6, 2, 6, 2)]
    return [*found, line(60_000, 10**9) + line(*(2 * source.choice((1, 3, 5, 7, 15, 21)) for _ in range(60_000)))]


def distances(source: random.Random) -> list[str]:
    """p02982."""
    found = [line(3, 2) + line(1, 2) + line(5, 5) + line(-2, 8)]
    for n, d in ((2, 1), (5, 3), (10, 10)):
        found.append(line(n, d) + "".join(line(*ints(source, d, -20, 20)) for _ in range(n)))
    return found


def knapsacks(source: random.Random) -> list[str]:
    """p03164."""
    found = [line(3, 8) + line(3, 30) + line(4, 50) + line(5, 60), line(1, 10**9) + line(10**9, 10)]
    rows = "".join(line(source.randint(1, 10**8), source.randint(1, 1000)) for _ in range(40))
    return [*found, line(40, 10**9) + rows]


def trees(source: random.Random) -> list[str]:
    """p02850."""
    return [line(size) + tree(source, size) for size in (3, 8, 60, 5_000)]


def tree(source: random.Random, size: int, lengths: bool = False) -> str:
    """Edges of a random tree, one a line."""
    rows = []
    for node in range(2, size + 1):
        more = [source.randint(1, 10**9)] if lengths else []
        rows.append(line(source.randint(max(1, node - 40), node - 1), node, *more))
    return "".join(rows)


def bounces(source: random.Random) -> list[str]:
    """p03000."""
    return [line(n, x) + line(*ints(source, n, 1, 100)) for n, x in ((3, 6), (4, 9), (1, 1), (100, 5000))]


def gems(source: random.Random) -> list[str]:
    """p03060."""
    return [line(n) + line(*ints(source, n, 1, 50)) + line(*ints(source, n, 1, 50)) for n in (3, 1, 10, 14)]


def digits(source: random.Random) -> list[str]:
    """p02702."""
    many = "".join(source.choice("123456789") for _ in range(60_000))
    return [line("1817181712114"), line("14282668646"), line("2119"), line(many)]


def cities(source: random.Random) -> list[str]:
    """p03608."""
    found = []
    for n, r in ((4, 3), (8, 4), (60, 5)):
        edges = [(node, node - 1) for node in range(2, n + 1)]
        edges += [(a, b) for a in range(1, n + 1) for b in range(1, a - 1) if source.random() < 0.2]
        towns = source.sample(range(1, n + 1), r)
        rows = "".join(line(*edge, source.randint(1, 100_000)) for edge in edges)
        found.append(line(n, len(edges), r) + line(*towns) + rows)
    return found


def paths(source: random.Random) -> list[str]:
    """p03634."""
    found = []
    for n, q in ((5, 3), (10, 5), (8_000, 8_000)):
        k = source.randint(1, n)
        asked = "".join(line(*ints(source, 2, 1, n)) for _ in range(q))
        found.append(line(n) + tree(source, n, True) + line(q, k) + asked)
    return found


def sums(_: random.Random) -> list[str]:
    """p02412."""
    return ["5 9\n0 0\n", "3 6\n10 15\n4 300\n0 0\n", "60 120\n100 150\n0 0\n", "0 0\n"]


def letters(source: random.Random) -> list[str]:
    """p04012."""
    pairs = [letter for letter in (source.choice("abcdefgh") for _ in range(50)) for _ in range(2)]
    source.shuffle(pairs)
    return [line("abaccaba"), line("hthth"), line("a"), line("".join(pairs))]


def mixtures(source: random.Random) -> list[str]:
    """p03806."""
    found = [line(3, 1, 1) + line(1, 2, 1) + line(2, 1, 2) + line(3, 3, 10), line(1, 3, 10) + line(10, 3, 10)]
    rows = "".join(line(*ints(source, 2, 1, 10), source.randint(1, 100)) for _ in range(25))
    return [*found, line(25, 3, 7) + rows]


def coprimes(source: random.Random) -> list[str]:
    """p02574."""
    found = [line(3) + line(3, 4, 5), line(3) + line(6, 10, 15), line(3) + line(6, 10, 16), line(2) + line(1, 1)]
    return [*found, line(40_000) + line(*ints(source, 40_000, 1, 10**6))]


def handstands(source: random.Random) -> list[str]:
    """p03074."""
    many = "".join(source.choice("01") for _ in range(50_000))
    found = [line(5, 1) + line("00010"), line(14, 2) + line("11101010110011"), line(1, 1) + line("1")]
    return [*found, line(50_000, 300) + line(many)]


def daydreams(source: random.Random) -> list[str]:
    """p03854."""
    many = "".join(source.choice(("dream", "dreamer", "erase", "eraser")) for _ in range(8_000))
    return [line("erasedream"), line("dreameraser"), line("dreamerer"), line(many), line(many[:-3] + "xyz")]


MAKERS: dict[str, Maker] = {
    "p03796": numbers(1, 3, 10, 99_999, 100_000, 50_000), "p02690": fifth_powers, "p03416": palindromes,
    "p03162": vacations, "p03494": halvings, "p03078": cakes, "p02792": numbers(25, 1, 100, 2020, 200_000),
    "p03038": rewrites, "p02994": apples,
    "p02780": listed((5, 4, 10, 100_000), 1, 1000, lambda source, size: source.randint(1, size)),
    "p02596": numbers(101, 2, 7, 1, 3, 999_983, 999_999), "p02814": halves, "p02982": distances, "p03164": knapsacks,
    "p02850": trees, "p03000": bounces, "p03060": gems, "p02702": digits, "p03608": cities, "p03634": paths,
    "p03828": numbers(3, 6, 1000, 800, 1), "p02952": numbers(11, 136, 100_000, 9), "p02412": sums, "p04012": letters,
    "p03806": mixtures, "p03568": listed((2, 3, 1, 9), 1, 100), "p02574": coprimes, "p03074": handstands,
    "p03854": daydreams,
}  # fmt: skip
"""By problem of CodeNet."""
SEVERAL_RIGHT = {"p02690": "any pair of fifth powers with that difference", "p02850": "any colouring that is valid"}
"""Problems with more than one right output."""
