import difflib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.codeflow.linediff import Diff, common, diff, lines_of, spans

LINES = st.lists(st.sampled_from(["a", "b", "", "  a", "x = 1", "é🙂", "\tb "]), max_size=9)
BREAKS = st.sampled_from(["\n", "\r\n"])


@st.composite
def texts(draw):
    """A program, with or without a last line break."""
    found = draw(LINES)
    text = "".join(line + draw(BREAKS) for line in found)
    return text.removesuffix("\n").removesuffix("\r") if found and found[-1] and draw(st.booleans()) else text


def length(left, right):
    """Length of the longest common subsequence by the textbook's table."""
    table = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i, x in enumerate(left):
        for j, y in enumerate(right):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


def is_subsequence(short, long):
    rest = iter(long)
    return all(item in rest for item in short)


@settings(max_examples=200, deadline=None)
@given(LINES, LINES)
def test_it_is_common_ordered_and_longest(left, right):
    pairs = common(left, right)
    assert all(left[i] == right[j] for i, j in pairs)
    assert all(a < b for pair, after in itertools.pairwise(pairs) for a, b in zip(pair, after, strict=True))
    assert len(pairs) == length(left, right)


@settings(max_examples=200, deadline=None)
@given(LINES, LINES)
def test_swapped_programs_give_the_swapped_answer(left, right):
    assert common(right, left) == [(j, i) for i, j in common(left, right)]
    there, back = diff(left, right), diff(right, left)
    assert (there.plus, there.minus) == (back.minus, back.plus)


@settings(max_examples=200, deadline=None)
@given(texts(), texts())
def test_d_minus_is_empty_iff_rejected_is_a_subsequence(chosen, rejected):
    found = diff(lines_of(chosen), lines_of(rejected))
    assert (not found.minus) == is_subsequence(lines_of(rejected), lines_of(chosen))
    assert (not found.plus) == is_subsequence(lines_of(chosen), lines_of(rejected))


def without(text, places):
    """The lines of a text that do not begin where a span begins."""
    starts, at, left = {first for first, _ in places}, 0, []
    for line in text.splitlines(keepends=True):
        if at not in starts:
            left.append(line.rstrip("\r\n"))
        at += len(line)
    return left


def rebuilt(shared, text, places):
    """The lines of a text from the common lines and what its spans hold; of the text itself only the spans are read."""
    at, rest, made = {first: text[first:last] for first, last in places}, list(shared), []
    place = 0
    while at or rest:
        line = at.pop(place) if place in at else rest.pop(0)
        made.append(line)
        place += len(line) + 1
    return made


@settings(max_examples=200, deadline=None)
@given(texts(), texts())
def test_spans_rebuild_both_texts(chosen, rejected):
    found = diff(lines_of(chosen), lines_of(rejected))
    plus, minus = spans(chosen, found.plus), spans(rejected, found.minus)
    shared = without(chosen, plus)
    assert shared == without(rejected, minus)
    if "\r" not in chosen + rejected:
        assert rebuilt(shared, chosen, plus) == lines_of(chosen)
        assert rebuilt(shared, rejected, minus) == lines_of(rejected)
    for text, places in ((chosen, plus), (rejected, minus)):
        assert all("\n" not in text[first:last] for first, last in places)
        assert all(text[last : last + 1] in ("", "\r", "\n") for _, last in places)


@settings(max_examples=200, deadline=None)
@given(LINES, LINES)
def test_never_fewer_common_lines_than_difflib(left, right):
    blocks = difflib.SequenceMatcher(a=left, b=right, autojunk=False).get_matching_blocks()
    assert len(common(left, right)) >= sum(block.size for block in blocks)


@pytest.mark.parametrize(
    ("chosen", "rejected", "plus", "minus"),
    [
        ("a\nb\nc\n", "a\nx\nc\n", (1,), (1,)),  # replaced
        ("a\nc\n", "a\nb\nc\n", (), (1,)),  # only in the rejected
        ("a\nb\nc\n", "a\nc\n", (1,), ()),  # a repair by insertion
        ("a\n", "a", (), ()),  # the last line break is no difference
        ("a\r\nb\r\n", "a\nb\n", (), ()),
        ("", "a\n", (), (0,)),
        ("a\nb\n", "b\na\n", (0,), (1,)),  # 'b' sorts after 'a'
        ("x\n\ny\n", "x\ny\n", (1,), ()),
    ],
)
def test_examples(chosen, rejected, plus, minus):
    assert diff(lines_of(chosen), lines_of(rejected)) == Diff(plus, minus)


def test_spans_of_lines():
    text = "ab\r\n\n  cd 🙂\nlast"
    assert spans(text, (0, 1, 2, 3)) == ((0, 2), (4, 4), (5, 11), (12, 16))
    assert [text[first:last] for first, last in spans(text, (0, 2, 3))] == ["ab", "  cd 🙂", "last"]
    assert spans(text, ()) == ()
