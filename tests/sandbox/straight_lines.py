"""Small straight-line tests of a program that keeps, changes and returns numbers and lists, made at random."""

from random import Random

CODE = """
kept = []
def f(x, y=1):
    return x * y + 1
def twice(x):
    return [x, x]
def push(items, x):
    items.append(x)
    return items
def pairs(items):
    return {x: [x, str(x)] for x in items}
def keep(items):
    kept.append(items)
    return len(kept)
def last():
    return kept[-1]
def grow():
    for items in kept:
        items.append(len(items))
def up_to(n):
    yield from range(n)
def inverse(x):
    return 1 / x
"""
CALLS_OF_NUMBERS = ["f({0})", "f({0}, y={1})", "len(twice({0}))", "inverse({0})", "sum(up_to({0}))", "twice({0})[-1]"]
NUMBERS = ["a", "b", "{0}", *CALLS_OF_NUMBERS, "{0} + a", "b * {1}", "len(xs)", "sum(xs) - {0}"]
CALLS_OF_LISTS = ["twice({0})", "push({2}, {0})", "list(up_to({0}))", "last()", "sorted({2})", "[f(i) for i in {2}]"]
ITEMS = ["xs", "ys", "[{0}, {1}]", "[]", *CALLS_OF_LISTS, "xs + ys", "ys[:1]", "xs * 2"]
CONDITIONS = [
    "{0} == {1}", "{0} != {1}", "{0} < {1}", "{0} in {2}", "{2} == {3}", "{2} is {3}", "{2}", "not {0}", "{0} == {0}",
    "pairs({2}) == {{{0}: [{0}, str({0})]}}", "isinstance({0}, int)", "{2} == list({3})", "0 <= {0} <= 9",
    "{0} == 1 or {1} == 2", "all(f(i) > {0} for i in {2})",
]  # fmt: skip
STATEMENTS = [
    "a = {0}", "b = {0}", "xs = {1}", "ys = {1}", "ys = xs", "a += {0}", "xs += {1}", "xs.append({0})", "push(xs, {0})",
    "keep(xs)", "keep(ys)", "grow()", "a, b = b, {0}", "xs[0] = {0}", "for i in {1}:\n    a += f(i)", "assert {2}",
    "assert {2}", "if {2}:\n    b = {0}", "try:\n    a = inverse({0})\nexcept ZeroDivisionError:\n    b = {0}",
]  # fmt: skip


def number(r: Random) -> str:
    return r.choice(NUMBERS).format(r.randint(-2, 4), r.randint(-2, 4))


def items(r: Random) -> str:
    inner = r.choice(["xs", "ys", f"[{r.randint(-2, 4)}]"])
    return r.choice(ITEMS).format(r.randint(-2, 4), r.randint(-2, 4), inner)


def condition(r: Random) -> str:
    return r.choice(CONDITIONS).format(number(r), number(r), items(r), items(r))


def statement(r: Random) -> str:
    return r.choice(STATEMENTS).format(number(r), items(r), condition(r))


def straight_line_test(r: Random) -> str:
    """A test of at most eight statements, the last of which is an assert."""
    lines = [statement(r) for _ in range(r.randint(1, 6))]
    return "\n".join(["a, b, xs, ys = 1, 2, [1], [2, 3]", *lines, f"assert {condition(r)}"])
