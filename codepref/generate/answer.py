"""What the body of an OpenAI-compatible answer holds, whatever a server may have put there.

The field names are those of OpenAI's chat and completions interfaces and of what vLLM, SGLang, llama.cpp, OpenRouter,
Mistral, DeepSeek, Gemini and Anthropic's compatible endpoints send in their place.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from codepref.generate.base import Completion
from codepref.generate.body import quoted

LENGTH = ("length", "max_tokens", "model_length", "max_output_tokens")
"""What servers call an answer that ended at the token limit."""
FILTERED = ("content_filter", "content_filtered", "safety", "recitation", "blocklist", "prohibited_content", "refusal")
"""What they call one that was withheld."""
THOUGHTS = ("thinking", "reasoning", "redacted_thinking", "reasoning_content", "thought", "summary")
"""Types of parts that are no part of the answer."""
THOUGHT_FIELDS = ("reasoning_content", "reasoning", "thinking", "reasoning_details", "thoughts")


@dataclass(frozen=True)
class _Said:
    """The parts of one message."""

    text: str = ""
    refusal: str = ""
    thought: bool = False
    thoughts: str = ""
    """Of these, what may be read."""


def read_choices(answer: Any, seed: int) -> list[Completion]:
    """The choices of an answer to a request with this seed; an answer without any counts as one that holds no text.

    A completion without text has the reason as its `finish_reason`; `is_final` says whether the model meant it.
    """
    body = answer if isinstance(answer, dict) else {}
    choices = body.get("choices")
    usage = body.get("usage")
    found = (
        [_choice(choice, seed) for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
    )
    first, *rest = found or [Completion("", seed, "missing")]
    prompt, completion = (_tokens(usage, name) for name in ("prompt_tokens", "completion_tokens"))
    return [replace(first, prompt_tokens=prompt, completion_tokens=completion), *rest]


def is_final(completion: Completion) -> bool:
    """Whether this is the model's answer, text or not: refused, withheld, or ended by the token limit before any text.

    To draw again until there is text would sample another distribution than the model's."""
    reason = completion.finish_reason.partition(":")[0]
    return bool(completion.text.strip()) or reason in ("length", "content_filter", "refusal")


def _choice(choice: Mapping[str, Any], seed: int) -> Completion:
    message = choice.get("message")
    message = message if isinstance(message, dict) else choice
    content = message.get("content")
    said = _said(choice.get("text") if content is None else content)
    reason = _reason(choice.get("finish_reason") or choice.get("stop_reason"))
    thoughts = said.thoughts or next((text for name in THOUGHT_FIELDS if (text := _readable(message.get(name)))), "")
    if said.text.strip():
        # Half a surrogate pair is valid JSON but neither UTF-8 nor Arrow can hold it.
        return Completion(_storable(said.text), seed, reason, thought=_storable(thoughts))
    refusal = message.get("refusal") or said.refusal
    if isinstance(refusal, str) and refusal.strip():
        reason = f"refusal: {quoted(refusal)}"
    elif choice.get("error"):
        reason = f"error: {quoted(choice['error'])}"
    elif said.thought or any(message.get(name) for name in THOUGHT_FIELDS):
        reason = f"{reason}: thoughts, but no answer"
    return Completion("", seed, _storable(reason), thought=_storable(thoughts))


def _readable(thoughts: Any) -> str:
    """The text of thoughts: a text, a part, or a list of parts; those that are encrypted have none."""
    if isinstance(thoughts, str):
        return thoughts
    if isinstance(thoughts, dict):
        return _readable(next((thoughts[name] for name in ("thinking", "text", "summary") if thoughts.get(name)), ""))
    return "".join(map(_readable, thoughts)) if isinstance(thoughts, list) else ""


def _reason(reason: Any) -> str:
    """The finish reason, those for the limit and for a filter in OpenAI's words."""
    if not isinstance(reason, str):
        return "unknown"
    plain = reason.lower()
    return "length" if plain in LENGTH else "content_filter" if plain in FILTERED else reason


def _said(content: Any) -> _Said:
    """What a message's `content` holds: a text, a part, or a list of parts."""
    if isinstance(content, str):
        return _Said(content)
    parts = content if isinstance(content, list) else [content]
    return _joined(map(_part, parts))


def _part(part: Any) -> _Said:
    if isinstance(part, str):
        return _Said(part)
    if not isinstance(part, dict):
        return _Said()
    if part.get("type") in THOUGHTS or part.get("thought") is True:
        return _Said(thought=True, thoughts=_readable(part))
    if isinstance(part.get("refusal"), str):
        return _Said(refusal=part["refusal"])
    text = next((part[name] for name in ("text", "content", "value", "output_text") if part.get(name)), "")
    return _Said(text) if isinstance(text, str) else _said(text)


def _joined(parts: Iterable[_Said]) -> _Said:
    found = list(parts)
    text, refusal = "".join(part.text for part in found), "".join(part.refusal for part in found)
    thoughts = "".join(part.thoughts for part in found)
    return _Said(text, refusal, any(part.thought for part in found), thoughts)


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _tokens(usage: Any, name: str) -> int:
    count = usage.get(name) if isinstance(usage, dict) else None
    return count if isinstance(count, int) else 0
