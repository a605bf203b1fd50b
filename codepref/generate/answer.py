"""What the JSON of an OpenAI-compatible answer holds, whatever a server may have put there."""

from collections.abc import Mapping
from typing import Any

from codepref.generate.base import Completion


def read_choices(answer: Any, seed: int) -> list[Completion]:
    """The choices of an answer to a request with this seed; an answer without any counts as one that holds no text."""
    body = answer if isinstance(answer, dict) else {}
    choices = body.get("choices")
    usage = body.get("usage")
    found = (
        [_choice(choice, seed) for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
    )
    first, *rest = found or [("", seed, "missing")]
    carrier = Completion(
        *first, prompt_tokens=_tokens(usage, "prompt_tokens"), completion_tokens=_tokens(usage, "completion_tokens")
    )
    return [carrier, *(Completion(*choice) for choice in rest)]


def _choice(choice: Mapping[str, Any], seed: int) -> tuple[str, int, str]:
    message = choice.get("message")
    text = message.get("content") if isinstance(message, dict) else choice.get("text")
    reason = choice.get("finish_reason")
    # Half a surrogate pair is valid JSON but neither UTF-8 nor Arrow can hold it.
    clean = text.encode("utf-8", "replace").decode() if isinstance(text, str) else ""
    return clean, seed, reason if isinstance(reason, str) else "unknown"


def _tokens(usage: Any, name: str) -> int:
    count = usage.get(name) if isinstance(usage, dict) else None
    return count if isinstance(count, int) else 0
