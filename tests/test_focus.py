import functools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers_trained import FAMILIES

from codepref.focus import token_mask


@functools.cache
def tokenizer_of(family):
    return FAMILIES[family]()


def plain(prompt, completion):
    return prompt + completion, len(prompt)


def chat(prompt, completion):
    head = f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"
    return f"{head}{completion}<|im_end|>\n", len(head)


def fenced(prompt, completion):
    head = f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n```python\n"
    return f"{head}{completion}```<|im_end|>\n", len(head)


def line_spans(text, changed):
    """Spans of the lines whose number is in `changed`, without their line break."""
    spans, at = [], 0
    for number, line in enumerate(re.findall(r"[^\n]*\n|[^\n]+", text)):
        if number in changed:
            spans.append((at, at + len(line.rstrip("\r\n"))))
        at += len(line)
    return spans


WORDS = ["return", "x", "self.y", "12", "==", "(", "):", "naïve", "🙂🙂", "漢字", "# done", "'\\n'", "", "e\u0301"]
INDENTS = ["", "    ", "        ", "\t", " "]


@st.composite
def programs(draw):
    """A text of lines with all sorts of indentation and line breaks, and the numbers of those that changed."""
    lines = draw(
        st.lists(
            st.tuples(
                st.sampled_from(INDENTS),
                st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join),
                st.sampled_from(["", " "]),
                st.sampled_from(["\n", "\n", "\r\n"]),
            ).map("".join),
            min_size=1,
            max_size=8,
        )
    )
    text = "".join(lines)
    text = text.rstrip("\r\n") if draw(st.booleans()) else text
    return text, draw(st.sets(st.integers(0, len(lines) - 1)))


@pytest.mark.parametrize("format_", [plain, chat, fenced], ids=lambda f: f.__name__)
@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=40, deadline=None)
@given(programs(), st.sampled_from(["", "Write f.\n", "def f(x):\n", "naïve 🙂:"]))
def test_the_mask_holds_the_changed_lines_and_no_others(family, format_, program, prompt):
    completion, changed = program
    spans = line_spans(completion, changed)
    text, start = format_(prompt, completion)
    encoding = tokenizer_of(family).encode(text)
    mask = token_mask(encoding.offsets, spans, start)
    assert len(mask) == len(encoding.ids)
    with_token = {at for first, last in encoding.offsets for at in range(first, last)}
    counted = {
        at for (first, last), counts in zip(encoding.offsets, mask, strict=True) if counts for at in range(first, last)
    }
    wanted = {start + at for first, last in spans for at in range(first, last)}
    assert counted >= wanted & with_token
    beside = {text[at] for at in counted - wanted}
    # white space at the end of a line may be one token with the indentation of the next
    assert beside <= (set(" \t\r\n") if re.search(r"[ \t]\r?$", completion, re.MULTILINE) else {"\r", "\n"})
    if family != "word_piece":
        assert with_token >= wanted  # else the line above would say nothing


@pytest.mark.parametrize("family", FAMILIES)
def test_decoded_the_masked_tokens_are_the_changed_line(family):
    tokenizer = tokenizer_of(family)
    unknown = "" if family in ("word_piece", "unigram") else " 漢字 🙂 ä"
    completion = f"def f(values):\n    result = 1\n\n    # done{unknown}\n\tself.x = None\n    return result + 1\n"
    text, start = fenced("Write f.\n", completion)
    encoding = tokenizer.encode(text)
    for number, line in enumerate(completion.splitlines()):
        mask = token_mask(encoding.offsets, line_spans(completion, {number}), start)
        tokens = [token for token, counts in zip(encoding.ids, mask, strict=True) if counts]
        decoded = tokenizer.decode(tokens, skip_special_tokens=False)
        if family == "word_piece":  # has no white space
            assert "".join(decoded.split()) == "".join(line.split())
        else:
            assert decoded.strip("\r\n") == line


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_counts_at_the_ends(family):
    text = "return x\n"
    encoding = tokenizer_of(family).encode(text)
    mask = token_mask(encoding.offsets, [(0, 8)])
    assert all(counts == 0 for counts, added in zip(mask, encoding.special_tokens_mask, strict=True) if added)
    assert sum(encoding.special_tokens_mask) == {"word_piece": 2, "unigram": 2, "byte_fallback": 1}.get(family, 0)
    assert sum(mask) == sum(1 for first, last in encoding.offsets if text[first:last].strip())


def test_a_token_that_straddles():
    line_break_and_indentation = [(0, 4), (4, 9), (9, 15)]  # "x = 1" would be 0 to 4; then "\n    ", then "return"
    assert token_mask(line_break_and_indentation, [(5, 15)]) == [0, 1, 1]  # leads into a changed line
    assert token_mask(line_break_and_indentation, [(0, 4)]) == [1, 0, 0]  # leads out of one
    glued = [(0, 1), (1, 3), (3, 4)]  # "x", ":\n", "y"
    assert token_mask(glued, [(0, 2)]) == [1, 1, 0]
    assert token_mask(glued, [(1, 2)]) == [0, 1, 0]


def test_byte_fallback_tokens_count_together():
    encoding = tokenizer_of("byte_fallback").encode("x = '漢'\n")
    assert sum(offset == (5, 6) for offset in encoding.offsets) == 3
    assert sum(token_mask(encoding.offsets, [(5, 6)])) == 3


def test_tokens_without_characters_never_count():
    assert token_mask([(0, 0), (0, 2), (2, 2), (2, 5), (0, 0)], [(0, 5)]) == [0, 1, 0, 1, 0]


def test_empty_things():
    assert token_mask([], []) == []
    assert token_mask([], [(0, 3)]) == []
    assert token_mask([(0, 3)], []) == [0]
    assert token_mask([(0, 3), (3, 4)], [(3, 3)]) == [0, 0]


def test_truncated_text_and_spans_in_any_order():
    assert token_mask([(0, 3), (3, 6)], [(9, 12), (1, 2)]) == [1, 0]
    assert token_mask([(0, 3), (3, 6), (6, 9)], [(4, 8), (3, 5)]) == [0, 1, 1]


def test_the_completion_begins_after_the_prompt():
    assert token_mask([(0, 4), (4, 6), (6, 8)], [(0, 1)], start=4) == [0, 1, 0]


def test_a_span_that_is_none():
    for span in ((2, 1), (-1, 3)):
        with pytest.raises(ValueError, match="expected 0 <= first <= last"):
            token_mask([(0, 9)], [span])
