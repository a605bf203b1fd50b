"""Where in an answer the program is: the whole of it, a code block, a stretch of text, or what follows the prompt."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from codepref.extract.markdown import (
    Block,
    across_fences,
    blocks,
    one_liners,
    unglued,
    without_blocks,
    without_prompts,
)
from codepref.extract.stretches import indented_stretches, stretches
from codepref.extract.syntax import Rejected, dedented, definition, lines, parse, program, shorten, syntax_error
from codepref.extract.thoughts import spoken
from codepref.extract.usage import defined, missing, picked


@dataclass(frozen=True)
class Found:
    """A program as it stands in an answer, its usage included."""

    source: str
    rule: str
    """How it was found: `program`, `completion`, `block`, `text`; `+ blocks`, `+ prompt`: with names from there."""


def find(text: str, prompt: str, entry_point: str) -> Found | Rejected:
    """The program in an answer; see `codepref.extract.code` for arguments and rules."""
    answer = spoken(text)
    if answer is None:
        return Rejected("unfinished thought")
    if not answer.strip():
        return Rejected("empty")
    stubs: list[Found] = []
    for found in _in_order(answer, prompt, entry_point):
        tree = program(found.source)
        kind = "none" if tree is None else definition(tree, entry_point)
        if kind == "whole":
            return _with_prompt(found, prompt, entry_point)
        if kind != "none":
            stubs.append(found)
    return stubs[-1] if stubs else _nothing(answer, prompt, entry_point)


def _in_order(answer: str, prompt: str, entry_point: str) -> Iterator[Found]:
    """Programs an answer may mean, the likeliest first; not all of them define the entry point."""
    for text in dict.fromkeys((answer, dedented(answer))):
        yield Found(text, "program")
    completions = tuple(dict.fromkeys(_completions(answer, prompt, entry_point)))
    if answer.lstrip("\r\n")[:1].isspace():
        yield from (Found(source, "completion") for source in completions if program(source) is not None)
    readings = [(text, blocks(text)) for text in dict.fromkeys((answer, unglued(answer)))]
    for text, found in readings:
        yield from _of_blocks(text, found, entry_point)
    yield from (Found(f"{code}\n", "block") for code in one_liners(answer))
    for text, found in readings:
        others = [block for block in found if block.language == "other" and block.closed]
        rest = without_blocks(text, others)
        yield from _last_whole(stretches(rest), entry_point, "text")
        yield from _last_whole(indented_stretches(rest, entry_point), entry_point, "text")
        inner = [block.text for block in found if block.language != "other"]
        for body in (*reversed(inner), rest):
            yield from (Found(source, "completion") for source in _completions(body, prompt, entry_point))


def _of_blocks(text: str, found: Sequence[Block], entry_point: str) -> Iterator[Found]:
    usable = [block for block in found if block.language != "other"]
    bodies: list[str] = []
    for block in usable:
        readings = [
            block.text,
            dedented(block.text),
            *_longer(text, block, entry_point),
            without_prompts(block.text) or "",
        ]
        readings += _mended(block.text) if program(block.text) is None else []
        whole = [body for body in readings if _kind(body, entry_point) == "whole"]
        bodies.append(whole[0] if whole else block.text)
    cut = [place for place, block in enumerate(usable) if not block.closed and _is_cut(bodies[place], entry_point)]
    yield from _last_whole(bodies, entry_point, "block", last=cut)


def _mended(body: str) -> list[str]:
    """What parses in a block that does not: up to a fence at the end of a line of code, or between broken lines."""
    head, fence, _ = body.partition("```")
    return [head] * bool(fence) + stretches(body)


def _longer(text: str, block: Block, entry_point: str) -> list[str]:
    """Readings of a block over later fences, where it holds a fence in a string and does not parse without."""
    if program(block.text) is not None or entry_point not in block.text:
        return []
    return across_fences(text, block)


def _is_cut(body: str, entry_point: str) -> bool:
    """Whether a text that nothing ends ends in the middle of the entry point, as far as one can see."""
    tree = program(body)
    if tree is None or not tree.body:
        return True
    last = tree.body[-1]
    if getattr(last, "name", None) != entry_point:
        return False
    return not any(word in _last_kind(last) for word in ("Return", "Raise", "Yield", "If", "Try", "With"))


def _last_kind(node: object) -> str:
    """Name of the kind of a definition's last statement."""
    body = getattr(node, "body", None)
    return type(body[-1]).__name__ if body else ""


def _last_whole(bodies: Sequence[str], entry_point: str, rule: str, last: Sequence[int] = ()) -> Iterator[Found]:
    """The last part that defines the entry point, joined with what it misses of the others; stubs after all others."""
    kinds = {place: _kind(body, entry_point) for place, body in enumerate(bodies)}
    order = [place for place in reversed(range(len(bodies))) if place not in last] + list(reversed(last))
    for kind in ("whole", "import", "stub"):
        for place in (place for place in order if kinds[place] == kind):
            yield _joined(bodies, place, entry_point, rule)


def _joined(bodies: Sequence[str], place: int, entry_point: str, rule: str) -> Found:
    source, joined = bodies[place], False
    for other in (*reversed(bodies[:place]), *bodies[place + 1 :]):
        lacking = missing(source, entry_point)
        more = picked(other, lacking, entry_point) if lacking else ""
        if more:
            source, joined = _above(more, source), True
    return Found(source, f"{rule} + blocks" if joined and rule == "block" else rule)


def _with_prompt(found: Found, prompt: str, entry_point: str) -> Found:
    """With the imports and helpers of the prompt that the program relies on, or that a test of it may call."""
    if found.rule == "completion":
        return found
    lacking = missing(found.source, entry_point) | (helpers(prompt, entry_point) - defined(found.source))
    known = [text for text in _readings(prompt) if program(text) is not None][:1]
    known += [block.text for block in blocks(prompt) if block.language != "other"] if lacking else []
    source = found.source
    for text in known:
        more = picked(text, lacking, entry_point) if lacking else ""
        if more:
            source, lacking = _above(more, source), lacking - defined(more)
    return Found(source, found.rule if source == found.source else f"{found.rule} + prompt")


def helpers(prompt: str, entry_point: str) -> set[str]:
    """Names of the functions and classes that a prompt defines beside the entry point."""
    tree = next((tree for tree in map(program, _readings(prompt)) if tree is not None), None)
    found = (node for node in (tree.body if tree is not None else ()) if hasattr(node, "name"))
    return {str(getattr(node, "name", "")) for node in found} - {entry_point}


def _readings(prompt: str) -> tuple[str, str]:
    """A prompt as it is, and with a body for a function that has none yet."""
    return prompt, f"{prompt.rstrip()}\n    pass\n"


def _above(more: str, source: str) -> str:
    """Two texts as one; `from __future__` imports stay first."""
    future = [row for row in lines(source) if row.startswith("from __future__ ")]
    rest = [row for row in lines(source) if not row.startswith("from __future__ ")] if future else [source]
    return "".join([*future, more.rstrip("\n"), "\n\n\n", *rest]) if more not in source else source


def _completions(body: str, prompt: str, entry_point: str) -> Iterator[str]:
    """The prompt with a text after it, which may have lost its indentation, cut where it no longer is Python."""
    if not body.strip() or not re.search(rf"\b{re.escape(entry_point)}\b", prompt):
        return
    shortened = "".join("    " + row if row.strip() else row for row in lines(body.strip("\r\n")))
    texts = [f"{prompt}{body}", f"{prompt.rstrip()}\n{body}", f"{prompt.rstrip()}\n    {body.lstrip()}"]
    for source in dict.fromkeys((*texts, f"{prompt.rstrip()}\n{shortened}")):
        length = len(lines(prompt.rstrip()))
        parts = [source] if program(source) is not None else stretches(source, least=length + 1)
        yield from (part for part in parts if _reaches_beyond(part, source, length, entry_point))


def _reaches_beyond(part: str, source: str, length: int, entry_point: str) -> bool:
    """Whether the entry point's definition goes on after the lines of the prompt."""
    tree = program(part)
    if tree is None or definition(tree, entry_point) != "whole":
        return False
    before = source.find(part)
    skipped = len(lines(source[: max(0, before)]))
    ends = (n.end_lineno or 0 for n in tree.body if getattr(n, "name", None) == entry_point)
    return max(ends, default=0) + skipped > length


def _kind(body: str, entry_point: str) -> str:
    tree = program(body)
    return "none" if tree is None else definition(tree, entry_point)


def _nothing(answer: str, prompt: str, entry_point: str) -> Rejected:
    bodies = [block.text for block in blocks(answer) if block.language != "other"] or [answer]
    if not any(body.strip() for body in bodies):
        return Rejected("empty")
    body = next(body for body in reversed(bodies) if body.strip())
    if any(parse(text) is not None for text in _tries(body, prompt)):
        return Rejected("no entry point", f"no top-level definition of {entry_point}")
    return Rejected("unparseable", syntax_error(body) or shorten(body))


def _tries(body: str, prompt: str) -> Iterable[str]:
    return (body, f"{prompt}{body}")
