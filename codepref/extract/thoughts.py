"""What a model says after thinking: the parts that are marked as its thoughts go."""

import re

from codepref.extract.markdown import blocks
from codepref.extract.syntax import lines, program

_WORDS = (
    r"(?:ant|seed:|longcat_|internal_|inner_|begin_of_|my_)?"
    r"(?:think(?:ing)?(?:_process)?|thoughts?(?:_process)?|reason(?:ing)?(?:_process|_content|_steps)?|reflect(?:ion)?"
    r"|analy(?:sis|ze)|scratch_?pad|monologue|chain_of_thought|cot|deliberation|plan(?:ning)?|rationale|brainstorm(?:ing)?)"
)
# a tag between quotes or backticks, or inside a regular expression, is spoken of, not used
_SPOKEN_OF = r"(?!`(?!``)|[\"'\\{|)])"
_OPEN = re.compile(
    rf"(?<![\w\"'`\\(|/])(?:<\s*\|?\s*{_WORDS}\s*\|?(?:\s[^<>\n]*)?>|\[THINK(?:ING)?\]|◁\s*think\s*▷|<unused94>(?:thought\b)?"
    rf"|<\|channel\|>\s*(?:analysis|commentary)\s*(?:<\|message\|>)?){_SPOKEN_OF}",
    re.IGNORECASE,
)
_CLOSE = re.compile(
    rf"(?:<\s*\|?\s*/\s*{_WORDS}\s*\|?\s*>|<\|?end_of_{_WORDS}\|?>|\[/THINK(?:ING)?\]|◁\s*/think\s*▷|<unused95>"
    rf"|<\|channel\|>\s*final\s*<\|message\|>){_SPOKEN_OF}",
    re.IGNORECASE,
)
_HARMONY = re.compile(
    r"\Aanalysis(?=[A-Z\"'])(?:(?P<thought>.*?)assistantfinal(?=\W|[A-Z]|def\b|from\b|import\b|class\b))?", re.S
)
"""The same channels where a decoder left the special tokens out."""
_SPECIAL = re.compile(
    r"<\|(?:endoftext|im_end|im_start|eot_id|end_of_text|eom_id|end|start|return|assistant|end_of_turn|EOT|eos)\|>(?:assistant\b)?"
    r"|<(?:/s|eos|bos|end_of_turn|pad|EOT|end_of_utterance)>|</s>|<｜[^｜\n]{1,40}｜>|\[/?INST\]"
)


def spoken(text: str) -> str | None:
    """The answer without its thoughts, byte order marks and special tokens at its ends.

    A closing tag without an opening one ends a thought that began before the answer did (templates open it); an opening
    one without a closing one begins a thought that was cut off. Tags in code that parses are part of it.

    Returns:
        None where nothing but thoughts is there.
    """
    text = text.lstrip("\ufeff")
    if _OPEN.search(text) or _CLOSE.search(text) or _HARMONY.match(text):
        rest = text if program(text) is not None else _without_thoughts(text)
        if not rest.strip() or not _trimmed(rest).strip():
            return None
        text = rest.lstrip("\r\n") if rest is not text else rest
    return _trimmed(text)


def _trimmed(text: str) -> str:
    """The text without special tokens at its ends."""
    for _ in range(8):
        head, tail = _SPECIAL.match(text.lstrip()), None
        for match in _SPECIAL.finditer(text, max(0, len(text.rstrip()) - 60)):
            tail = match if match.end() == len(text.rstrip()) else tail
        if tail is not None:
            text = text[: tail.start()]
        elif head is not None:
            text = text.lstrip()[head.end() :].removeprefix("\n")
        else:
            break
    return text


def _without_thoughts(text: str) -> str:
    harmony = _HARMONY.match(text)
    if harmony:
        return text[harmony.end() :] if harmony["thought"] is not None else ""
    while True:
        code = _spans_of_code(text)
        opened = next((m for m in _OPEN.finditer(text) if _is_tag(m, code) and _opens(m, text)), None)
        start = opened.end() if opened else 0
        closed = next((m for m in _CLOSE.finditer(text) if _is_tag(m, code)), None)
        if closed is not None and (opened is None or closed.start() < opened.start()):
            text = text[closed.end() :]
        elif opened is not None:
            end = _end_of_thought(text, start, code)
            if end is None:
                return text[: opened.start()]
            text = f"{text[: opened.start()]}{text[end:]}"
        else:
            return text


def _end_of_thought(text: str, start: int, code: list[tuple[int, int]]) -> int | None:
    """Where the thought that begins at `start` ends: thoughts may stand in each other."""
    depth = 1
    tags = [(m, 1) for m in _OPEN.finditer(text, start) if _at_line_start(m, text)]
    tags += [(m, -1) for m in _CLOSE.finditer(text, start)]
    last = None
    for match, step in sorted(tags, key=lambda tag: tag[0].start()):
        if _is_tag(match, code):
            depth += step
            last = match.end() if step < 0 else last
            if depth == 0:
                return match.end()
    return last


def _opens(match: re.Match[str], text: str) -> bool:
    """A tag in the middle of a line opens a thought only if one is closed later: prose may speak of tags."""
    return _at_line_start(match, text) or _CLOSE.search(text, match.end()) is not None


def _at_line_start(match: re.Match[str], text: str) -> bool:
    before = text[max(text.rfind("\n", 0, match.start()), text.rfind("\r", 0, match.start())) + 1 : match.start()]
    return not _SPECIAL.sub("", before).strip()


def _is_tag(match: re.Match[str], code: list[tuple[int, int]]) -> bool:
    return not any(start <= match.start() < end for start, end in code)


def _spans_of_code(text: str) -> list[tuple[int, int]]:
    """Where blocks stand whose code parses."""
    starts = [0]
    for row in lines(text):
        starts.append(starts[-1] + len(row))
    return [
        (starts[block.first], starts[min(block.end, len(starts) - 1)])
        for block in blocks(text)
        if block.closed and program(block.text) is not None
    ]
