"""The shapes of rows, each brought into the one form, or refused with its reason."""

from collections import Counter

import pytest
from rows_cases import ask, assistant, user


@pytest.fixture(scope="module")
def rows():
    import rows

    return rows


def pair(rows, row, chat=False):
    notes = Counter()
    return rows.pair(row, chat, notes), notes


TALK = [user("Sort it."), assistant("Which way?"), user("Up.")]


@pytest.mark.parametrize("prompt", [TALK, "Up.", None], ids=["turns", "text", "absent"])
def test_the_shared_turns_are_the_prompt(rows, prompt):
    row = {"chosen": [*TALK, assistant("a")], "rejected": [*TALK, assistant("b")]}
    found, _ = pair(rows, row if prompt is None else {**row, "prompt": prompt})
    assert found == {"prompt": TALK, "chosen": [assistant("a")], "rejected": [assistant("b")]}


def test_a_prompt_of_turns_and_answers_of_text(rows):
    found, _ = pair(rows, {"prompt": TALK, "chosen": "a", "rejected": "b"})
    assert found == {"prompt": TALK, "chosen": [assistant("a")], "rejected": [assistant("b")]}


def test_the_last_turns_of_the_prompt_may_be_repeated(rows):
    system = {"role": "system", "content": "Be short."}
    row = {"prompt": [system, user("q")], "chosen": [user("q\n"), assistant("a")], "rejected": [assistant("b")]}
    assert pair(rows, row)[0]["prompt"] == [system, user("q")]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"prompt": "x y", "chosen": [user("another"), assistant("a")], "rejected": [user("another"), assistant("b")]},
            "chosen does not hold the prompt"),
        ({"prompt": TALK, "chosen": [user("another"), assistant("a")], "rejected": [assistant("b")]},
            "chosen holds other turns than the prompt"),
        ({"chosen": [*TALK, assistant("a")], "rejected": [user("z"), assistant("b")]}, "part before their last answer"),
        ({"prompt": TALK, "chosen": [*TALK], "rejected": [assistant("b")]}, "chosen ends with a message of the user"),
        ({"prompt": [*TALK, assistant("a")], "chosen": "b", "rejected": "c"}, "the prompt ends with a message of the assistant"),
        ({"prompt": [], "chosen": "b", "rejected": "c"}, "prompt is an empty list"),
        ({"prompt": "p", "chosen": {"a": 1}, "rejected": "c"}, "role None"),
        ({"prompt": "p", "chosen": [{**assistant("x"), "tool_calls": [1]}], "rejected": [assistant("c")]}, "tool calls"),
        ({"prompt": "p", "chosen": [assistant([{"type": "image"}])], "rejected": [assistant("c")]}, "content of a message is a list"),
        ({"prompt": "p", "system": "Be short.", "chosen": "a", "rejected": "b"}, "a system column beside a prompt"),
        ({"chosen": "yes", "rejected": "no"}, "do not begin alike"),
        ({"prompt": True, "chosen": "yes", "rejected": "no"}, "prompt is true"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(rows, row, said):
    with pytest.raises(rows.BadRow, match=said):
        pair(rows, row)


def test_content_in_parts_of_text(rows):
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert pair(rows, {"prompt": "p", "chosen": [assistant(parts)], "rejected": [assistant("c")]})[0]["chosen"] == [
        assistant("ab")
    ]


def test_text_without_a_prompt_is_split_where_the_sides_part(rows):
    found, _ = pair(rows, {"chosen": "The sky is blue.", "rejected": "The sky is green."})
    assert found == {"prompt": "The sky is", "chosen": " blue.", "rejected": " green."}


def test_a_repeated_prompt_is_taken_off_and_counted(rows):
    row = {"prompt": ask(1), "chosen": ask(1) + "a = 1", "rejected": ask(1).rstrip() + " b"}
    for chat in (False, True):
        found, notes = pair(rows, row, chat)
        assert (found["chosen"], found["rejected"]) == ("a = 1", " b")
        assert list(notes.values()) == [2]
    with pytest.raises(rows.BadRow, match="behind the repeated prompt is empty"):
        pair(rows, {**row, "chosen": ask(1)})


def test_a_prompt_of_code_is_no_repetition_in_a_chat(rows):
    """The answer of a chat model is the whole program; the one of a base model goes on from the prompt."""
    stub = 'def f(x):\n    """Add one."""\n'
    row = {"prompt": stub, "chosen": stub + "    return x + 1\n", "rejected": stub + "    return x\n"}
    assert pair(rows, row, chat=True)[0]["chosen"] == row["chosen"]
    assert pair(rows, row)[0]["chosen"] == "    return x + 1\n"
    assert pair(rows, {**row, "rejected": "def f(x): return 1"})[0]["chosen"] == row["chosen"]


def test_a_short_prompt_repeats_by_chance(rows):
    assert pair(rows, {"prompt": "sum", "chosen": "sum(xs)", "rejected": "sum"})[0]["chosen"] == "sum(xs)"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, True), (0, False), (1.0, True), ("True", True), (" no ", False), ("1", True), ("undesirable", False)],
)
def test_labels(rows, value, expected):
    assert rows.label(value) is expected


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        (5, "BadData", "a score"), (-1, "BadData", "a score"), (0.9, "BadData", "a score"), ("4", "BadData", "a score"),
        (None, "BadRow", "null"), (float("nan"), "BadRow", "null"), ("perhaps", "BadRow", "'perhaps'"), ([1], "BadRow", "a list"),
    ],
)  # fmt: skip
def test_labels_that_say_neither(rows, value, kind, said):
    with pytest.raises(getattr(rows, kind), match=said):
        rows.label(value)


@pytest.mark.parametrize("span", [[5, 2], [-1, 2], [0, 99], [0], [0.0, 2], "ab", None])
def test_spans_lie_within_their_answer(rows, span):
    row = {"prompt": "p", "chosen": "abc", "rejected": "abd", "chosen_spans": [span], "rejected_spans": [[2, 3]]}
    with pytest.raises(rows.BadRow, match="chosen_spans has"):
        rows.pair(row, False, Counter(), spans=True)
    assert rows.pair({**row, "chosen_spans": []}, False, Counter(), spans=True)["chosen_spans"] == []


def test_spans_can_not_be_placed_behind_a_repeated_prompt(rows):
    row = {"prompt": "a b", "chosen": "a b c", "rejected": "d", "chosen_spans": [], "rejected_spans": []}
    with pytest.raises(rows.BadRow, match="give the answer alone"):
        rows.pair(row, False, Counter(), spans=True)
