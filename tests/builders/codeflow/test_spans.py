import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.codeflow.linediff import lines_of, spans
from builders.codeflow.spans import located

CHOSEN = "def f(x, y):\n    if x <= y + 1:\n        return x\n    return None\n"
REJECTED = "def f(x, y):\n    if x < y:\n        return x\n    return 'é'[y]\n"


def shown(text, places):
    return [text[first:last] for first, last in places]


def test_lines():
    found = located("line", CHOSEN, REJECTED)
    assert shown(REJECTED, found.rejected) == ["    if x < y:", "    return 'é'[y]"]
    assert shown(CHOSEN, found.chosen) == ["    if x <= y + 1:", "    return None"]


def test_tokens():
    found = located("token", CHOSEN, REJECTED)
    assert shown(CHOSEN, found.chosen) == ["=", "+", "1", "None"]
    # nothing of the first changed line is wrong in itself, so it stays whole
    assert shown(REJECTED, found.rejected) == ["    if x < y:", "'", "é", "'", "[", "y", "]"]


def test_nodes():
    found = located("ast", CHOSEN, REJECTED)
    assert shown(CHOSEN, found.chosen) == ["x <= y + 1", "None"]
    assert shown(REJECTED, found.rejected) == ["    if x < y:", "'é'[y]"]


def test_a_node_is_cut_to_its_line():
    rejected = "x = f(\n    a,\n    b)\n"
    found = located("ast", "x = f(\n    a,\n    c)\n", rejected)
    assert shown(rejected, found.rejected) == ["b"]
    deeper = "x = f(\n    a,\n        b)\n"
    found = located("ast", "x = f(\n    a,\n    b)\n", deeper)
    assert shown(deeper, found.rejected) == [
        "        b)"
    ]  # the indentation belongs to the call, the call to three lines


def test_tokens_are_compared_within_a_hunk_only():
    chosen, rejected = "a = 1\nsame\nb = 2\n", "b = 1\nsame\na = 2\n"
    found = located("token", chosen, rejected)
    assert shown(rejected, found.rejected) == ["b", "a"]


def test_what_does_not_parse_has_no_nodes():
    rejected = "def f(:\n"
    assert shown(rejected, located("ast", "def f():\n", rejected).rejected) == [rejected.rstrip("\n")]


LINE = st.sampled_from(
    ["x = 1", "    y = x + 1", "", "  # é🙂", "return x", "f(a,", "\tb)", "if x:", "'''", "naïve = 'ä'"]
)
TEXT = st.lists(LINE, max_size=7).map(lambda found: "".join(f"{line}\n" for line in found))


@pytest.mark.parametrize("focus", ["line", "token", "ast"])
@settings(max_examples=150, deadline=None)
@given(TEXT, TEXT)
def test_every_changed_line_has_a_span_and_no_other(focus, chosen, rejected):
    found = located(focus, chosen, rejected)
    for text, numbers, places in (
        (chosen, found.diff.plus, found.chosen),
        (rejected, found.diff.minus, found.rejected),
    ):
        whole = spans(text, numbers)
        assert all(any(a <= first and last <= b for a, b in whole) for first, last in places)
        assert all(any(a <= first and last <= b for first, last in places) for a, b in whole)
        assert list(places) == sorted(places)
        assert len(lines_of(text)) >= len(numbers)


@settings(max_examples=100, deadline=None)
@given(TEXT, TEXT)
def test_a_swap_swaps_the_spans(chosen, rejected):
    for focus in ("line", "token", "ast"):
        there, back = located(focus, chosen, rejected), located(focus, rejected, chosen)
        assert (there.chosen, there.rejected) == (back.rejected, back.chosen)
