"""Chat prompts whose answer is already begun, as text for a model that is asked without its template."""

import functools
from collections.abc import Sequence
from typing import Any

from codepref.generate.base import GenerationError
from codepref.generate.local.config import one_line
from codepref.reach import quick_to_fail

_PLACE = "[[the-answer-goes-on-here]]"


@functools.cache
def _tokenizer(model: str, adapter: str | None) -> Any:
    from transformers import AutoTokenizer

    for name in [adapter, model] if adapter else [model]:
        try:
            with quick_to_fail(name):
                return AutoTokenizer.from_pretrained(name)
        except (OSError, ValueError) as error:
            problem = f"{name}: no tokenizer to be had ({one_line(error)}); name a model's folder or ORG/NAME"
    raise GenerationError(problem)


def template(model: str, adapter: str | None = None) -> str | None:
    """The chat template of a model's tokenizer, None for a base model's. Raises `GenerationError` without tokenizer."""
    text: str | None = _tokenizer(model, adapter).chat_template
    return text


def prefilled(model: str, adapter: str | None, parts: Sequence[tuple[str | None, str, str]]) -> list[str]:
    """Rendered conversations up to the point where the model goes on; parts are (system, user, begin of the answer)."""
    tokenizer = _tokenizer(model, adapter)
    texts = []
    for system, user, begin in parts:
        messages = [{"role": "system", "content": system}] if system else []
        messages += [{"role": "user", "content": user}, {"role": "assistant", "content": f"{begin}{_PLACE}\n```\n"}]
        rendered: str = tokenizer.apply_chat_template(messages, tokenize=False)
        texts.append(rendered.split(_PLACE, maxsplit=1)[0])
    return texts
