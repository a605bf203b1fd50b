"""The shapes in which people keep training rows, and the one form that the recipes train on.

What is known, for answers as text and as messages alike:

- pairs `prompt`, `chosen`, `rejected`; without a prompt, it is what both sides begin with
- single answers `prompt`, `completion`, with `label` for KTO; whole conversations in `messages`; texts in `text` (SFT)
- UltraFeedback: `prompt` is a text, both sides are whole conversations; the shared turns are the prompt
- ShareGPT: `conversations` of `from` and `value`, with the two answers beside them as `chosen` and `rejected`
- answers that begin with the prompt, which is then taken off

In the one form, prompt and answers are all text, or the prompt is a list of turns (`role`, `content`) and each answer
one assistant turn. Everything else raises `BadRow`, or `BadData` where leaving the row out would not mend the data.
"""

import ast
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Turn = dict[str, str]
Text = str | list[Turn]
Row = dict[str, Any]

ROLES = {"user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant", "chatgpt": "assistant",
         "system": "system", "developer": "developer", "tool": "tool"}  # fmt: skip
LABELS = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False, "good": True, "bad": False,
          "desirable": True, "undesirable": False, "chosen": True, "rejected": False}  # fmt: skip
SPANS = ("chosen_spans", "rejected_spans")
COLUMNS = frozenset(
    {"prompt", "chosen", "rejected", "completion", "label", "messages", "conversations", "text", "system", *SPANS}
)
"""Columns that are looked at."""
ANSWER_MARK = "\n\nAssistant:"
"""Where the last answer begins in a dialogue that is written as one text."""
SHORTEST_ECHO = 2
"""Words of a prompt that an answer must begin with to be taken for a repetition."""


class BadRow(Exception):
    """A row that can not be trained on: why, and what to give instead."""


class BadData(BadRow):
    """The same where the other rows are to be doubted too: leaving this one out is no remedy."""


def pair(row: Mapping[str, Any], chat: bool, notes: Counter[str], spans: bool = False) -> Row:
    """`prompt`, `chosen`, `rejected` of a preference pair.

    Args:
        row: The row as it is stored.
        chat: Plain rows are going to be messages.
        notes: Counts what was done to rows.
        spans: Keep `chosen_spans` and `rejected_spans`, checked.

    Raises:
        BadRow: a value is missing, empty or of a wrong kind, or the shape is not known.
    """
    if "chosen" not in row or "rejected" not in row:
        raise BadRow(f"{_without(row, 'chosen', 'rejected')}; give a dataset of preference pairs")
    if spans and not all(name in row for name in SPANS):
        raise BadRow(
            f"{_without(row, *SPANS)}; focal DPO with focus: lines needs a dataset with spans, such as one of CodeFlow"
        )
    sides = [answer(row["chosen"], "chosen"), answer(row["rejected"], "rejected")]
    prompt, answers = apart(asked(row), sides, ("chosen", "rejected"))
    if spans:
        if any(_repeats(prompt, text) for text in answers):
            raise BadRow("an answer repeats the prompt, so its spans can not be placed; give the answer alone")
        return {**_named(prompt, answers, "chosen", "rejected"), **_spans(row, answers)}
    return _named(prompt, without_echo(prompt, answers, chat, notes), "chosen", "rejected")


def labelled(row: Mapping[str, Any], chat: bool, notes: Counter[str]) -> Iterator[Row]:
    """`prompt`, `completion`, `label` of a labelled answer, or of both sides of a pair.

    Raises:
        BadRow: as `pair`; or the label says neither yes nor no.
    """
    if "chosen" in row and "rejected" in row:
        both = pair(row, chat, notes)
        yield {"prompt": both["prompt"], "completion": both["chosen"], "label": True}
        yield {"prompt": both["prompt"], "completion": both["rejected"], "label": False}
        return
    if "label" not in row:
        raise BadRow(f"{_without(row, 'label')}; give pairs, or rows with a completion and a label")
    yield {**single(row, chat, notes), "label": label(row["label"])}


def single(row: Mapping[str, Any], chat: bool, notes: Counter[str]) -> Row:
    """`prompt`, `completion`: the chosen side of a pair, a completion, the last answer of a conversation, or a text.

    Raises:
        BadRow: as `pair`.
    """
    if "chosen" in row and "prompt" not in row and "rejected" in row:
        both = pair(row, chat, notes)
        return {"prompt": both["prompt"], "completion": both["chosen"]}
    name = next((key for key in ("chosen", "completion", "messages", "conversations", "text") if key in row), None)
    if name is None:
        raise BadRow(f"{_without(row, 'completion')}; give pairs, rows with prompt and completion, messages or text")
    given = answer(row[name], name)
    if name == "text" and isinstance(given, str):
        if chat:
            raise BadData("rows of text have no prompt, so they can not be messages; leave chat out")
        return {"prompt": "", "completion": given}
    if name in ("messages", "conversations") and isinstance(given, str):
        raise BadRow(f"{name} is a text; give a list of messages with role and content")
    if name in ("messages", "conversations"):
        prompt, answers = apart(None, [_with_system(row, given)], (name,))
    else:
        prompt, answers = apart(asked(row), [given], (name,))
    return _named(prompt, without_echo(prompt, answers, chat, notes), "completion")


def label(value: Any) -> bool:
    """What a label says.

    Raises:
        BadData: a score; where good ends and bad begins is the user's to say.
        BadRow: nothing, or a word that says neither yes nor no.
    """
    if isinstance(value, str):
        word = value.strip().lower()
        if word in LABELS:
            return LABELS[word]
        try:
            value = float(word)
        except ValueError:
            raise BadRow(f"label is {value!r}; give true or false") from None
    if value is None or (isinstance(value, float) and math.isnan(value)):
        raise BadRow("label is null; give true or false")
    if isinstance(value, bool | int | float):
        if value in (0, 1):
            return bool(value)
        raise BadData(
            f"label is {value!r}, a score: whether that is good or bad is yours to say; give labels true and false"
        )
    raise BadRow(f"label is a {_kind(value)}; give true or false")


def asked(row: Mapping[str, Any]) -> Text | None:
    """The prompt, where the row names it: `prompt`, or a conversation that ends with a question; else None."""
    if "prompt" in row:
        return _with_system(row, answer(row["prompt"], "prompt"))
    for name in ("conversations", "messages"):
        if name in row:
            turns = answer(row[name], name)
            # beside whole conversations `messages` is a copy of one of them
            return _with_system(row, turns) if _ends_with(turns, "user") else None
    return None


def _ends_with(turns: Text, role: str) -> bool:
    return isinstance(turns, list) and turns[-1]["role"] == role


def _with_system(row: Mapping[str, Any], prompt: Text) -> Text:
    """The prompt behind the text of a `system` column, if there is one."""
    system = row.get("system")
    if not isinstance(system, str) or not system.strip():
        return prompt
    if isinstance(prompt, str):
        raise BadRow("a system column beside a prompt that is text; give the prompt as messages, the system's first")
    return prompt if prompt[0]["role"] == "system" else [{"role": "system", "content": system}, *prompt]


def answer(value: Any, name: str) -> Text:
    """A text or a list of turns.

    Raises:
        BadRow: neither, or empty.
    """
    if isinstance(value, str):
        return _text(value, name)
    if isinstance(value, Mapping):
        return [_turn(value, name)]
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        if not value:
            raise BadRow(f"{name} is an empty list; give text or messages")
        return [_turn(item, name) for item in value]
    raise BadRow(f"{name} is {_kind(value)}; give text or messages")


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise BadRow(f"{name} is {_kind(value)}; give text")
    if not value.strip():
        raise BadRow(f"{name} is empty; give text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadRow(f"{name} has half a surrogate pair at character {error.start + 1}; write it as UTF-8") from None
    return value


def _turn(value: Any, name: str) -> Turn:
    """A message in TRL's spelling or in ShareGPT's; content may be parts, if all of them are text."""
    if not isinstance(value, Mapping):
        raise BadRow(f"{name} is a list with {_kind(value)} in it; give messages with role and content")
    role, content = value.get("role", value.get("from")), value.get("content", value.get("value"))
    if not isinstance(role, str) or role.strip().lower() not in ROLES:
        raise BadRow(f"{name} has a message with the role {role!r}; give one of {', '.join(ROLES)}")
    if value.get("tool_calls"):
        raise BadRow(f"{name} has a message with tool calls, which the recipes do not train; give text")
    if isinstance(content, Sequence) and content and not isinstance(content, str | bytes):
        parts = [part.get("text") if isinstance(part, Mapping) else None for part in content]
        content = "".join(parts) if all(isinstance(part, str) for part in parts) else content
    return {"role": ROLES[role.strip().lower()], "content": _text(content, f"{name}: content of a message")}


def apart(prompt: Text | None, sides: list[Text], names: Sequence[str]) -> tuple[Text, list[Text]]:
    """Prompt and answers, where the sides may be whole conversations or the prompt may be left out.

    Raises:
        BadRow: sides of two kinds, or turns that do not fit together.
    """
    kinds = {type(side) for side in sides}
    if len(kinds) > 1:
        raise BadRow(f"{names[0]} and {names[1]} are not of one kind, text and messages; give both as one of them")
    if kinds == {str}:
        if prompt is None:
            return _opening(sides, names)
        if isinstance(prompt, list):
            return _checked_prompt(prompt), [[{"role": "assistant", "content": side}] for side in sides]  # type: ignore[list-item]
        return prompt, sides
    found = [_behind(prompt, side, name) for side, name in zip(sides, names, strict=True)]  # type: ignore[arg-type]
    turns = found[0][0]
    if any(other != turns for other, _ in found):
        raise BadRow(
            "chosen and rejected part before their last answer; give conversations with the same turns before it"
        )
    return _checked_prompt(turns), [[last] for _, last in found]


def _behind(prompt: Text | None, side: list[Turn], name: str) -> tuple[list[Turn], Turn]:
    """The turns before the answer of one side, and the answer: the last turn."""
    before, last = side[:-1], side[-1]
    if last["role"] != "assistant":
        raise BadRow(f"{name} ends with a message of the {last['role']}; the last one has to be the assistant's")
    if isinstance(prompt, str):
        question = prompt.strip()
        if not before:
            return [{"role": "user", "content": prompt}], last
        if not any(turn["content"].strip() == question for turn in before if turn["role"] == "user"):
            raise BadRow(f"{name} does not hold the prompt as a message of the user; give the prompt that was asked")
        return before, last
    if prompt is None:
        return before, last
    repeated = prompt[len(prompt) - len(before) :] if before else []
    if [_bare(turn) for turn in before] != [_bare(turn) for turn in repeated]:
        raise BadRow(f"{name} holds other turns than the prompt before its answer; give the same, or the answer alone")
    return prompt, last


def _bare(turn: Turn) -> tuple[str, str]:
    return turn["role"], turn["content"].strip()


def _checked_prompt(turns: list[Turn]) -> list[Turn]:
    if not turns or turns[-1]["role"] not in ("user", "tool"):
        last = f"ends with a message of the {turns[-1]['role']}" if turns else "has no message"
        raise BadRow(f"the prompt {last}; its last one has to be the user's")
    return turns


def _opening(sides: list[Text], names: Sequence[str]) -> tuple[str, list[Text]]:
    """The prompt of text without one: up to the last `Assistant:` both have, else to the word in which they part."""
    if len(sides) == 1:
        raise BadRow(f"no prompt beside {names[0]}; give rows with a prompt")
    one, other = str(sides[0]), str(sides[1])
    common = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    mark = one.rfind(ANSWER_MARK, 0, common)
    stop = mark + len(ANSWER_MARK) if mark >= 0 else len(one[:common].rpartition(" ")[0])
    if not one[:stop].strip():
        raise BadRow("no prompt, and the two sides do not begin alike; give rows with a prompt")
    answers: list[Text] = [_text(text[stop:], name) for text, name in zip((one, other), names, strict=True)]
    return one[:stop], answers


def without_echo(prompt: Text, answers: list[Text], chat: bool, notes: Counter[str]) -> list[Text]:
    """The answers without the prompt, where they begin with it.

    A prompt that is code itself is another thing: in plain rows an answer that begins with it is the whole program and
    what follows the prompt is its completion; in messages it is the answer, and stays.

    Raises:
        BadRow: nothing follows the prompt.
    """
    repeats = [_repeats(prompt, text) for text in answers]
    if not any(repeats):
        return answers
    if _is_code(_last(prompt)) and (chat or isinstance(prompt, list) or not all(repeats)):
        return answers
    notes["answers that began with the prompt, which was taken off"] += sum(map(bool, repeats))
    return [_cut(text, length) if length else text for text, length in zip(answers, repeats, strict=True)]


def _last(text: Text) -> str:
    return text if isinstance(text, str) else text[-1]["content"]


def _repeats(prompt: Text, text: Text) -> int:
    """With how many characters of the prompt an answer begins: all, but for blanks at the end, or none."""
    question, said = _last(prompt), _last(text)
    if len(question.split()) < SHORTEST_ECHO:
        return 0
    return next((len(part) for part in (question, question.rstrip()) if said.startswith(part)), 0)


def _cut(text: Text, length: int) -> Text:
    if isinstance(text, str):
        return _text(text[length:], "the answer behind the repeated prompt")
    rest = _text(text[-1]["content"][length:], "the answer behind the repeated prompt").lstrip("\n")
    return [{**text[-1], "content": rest}]


def _is_code(text: str) -> bool:
    for tail in ("", "\n    pass"):
        try:
            ast.parse(text.rstrip() + tail)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        return True
    return False


def _spans(row: Mapping[str, Any], answers: list[Text]) -> Row:
    """Both columns of spans as lists of (start, stop), in characters of the answer."""
    found = {}
    for name, text in zip(SPANS, answers, strict=True):
        value, length = row[name], len(_last(text))
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise BadRow(f"{name} is {_kind(value)}; give a list of [start, stop]")
        for span in value:
            whole = isinstance(span, Sequence) and len(span) == 2 and all(type(end) is int for end in span)
            if not whole or not 0 <= span[0] <= span[1] <= length:
                raise BadRow(f"{name} has {span!r}; give [start, stop] within the {length} characters of the answer")
        found[name] = [list(span) for span in value]
    return found


def _named(prompt: Text, answers: list[Text], *names: str) -> Row:
    return {"prompt": prompt, **dict(zip(names, answers, strict=True))}


def _without(row: Mapping[str, Any], *columns: str) -> str:
    missing = [column for column in columns if column not in row]
    return f"no column {', '.join(missing)} (it has {', '.join(map(str, row))})"


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"the number {value}"
    return f"a {type(value).__name__}"
