"""A causal language model in memory: the one place that knows transformers."""

import functools
import gc
import inspect
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codepref.generate.base import Completion, GenerationError, Request
from codepref.generate.local.config import LocalConfig, one_line

CONTEXT = 8
"""Prompt tokens that are decoded together with an answer: some tokenizers drop the blank a text begins with."""


def check_no_system(requests: Iterable[Request]) -> None:
    """Raises ValueError when a request has a system text, which only a chat template can place."""
    if any(request.system is not None for request in requests):
        raise ValueError("without a chat template there is no place for a system text; put it into the prompt")


_held: dict[str, "Model"] = {}
"""The one model in memory, by its configuration and content."""


def loaded(config: LocalConfig, content: Mapping[str, Any]) -> "Model":
    """The model of this configuration and content (`identity`), from memory if it is there.

    Raises:
        GenerationError: it can not be loaded.
    """
    key = json.dumps([content, config.device], sort_keys=True)
    if key not in _held:
        release()
        _held[key] = _load(config)
    return _held[key]


def release() -> None:
    """Frees the memory of the model that was used last; the next text loads it again, or a changed one."""
    if _held:
        _held.clear()
        gc.collect()
        free_cached()


def _load(config: LocalConfig) -> "Model":
    try:
        import torch
        import transformers
        from safetensors import SafetensorError

        if config.adapter is not None:
            import peft
    except ImportError as error:
        raise GenerationError(f'backend local: {error}; install its libraries: pip install "codepref[local]"') from None
    automatic = "cuda" if torch.cuda.is_available() else "cpu"
    place = automatic if config.device == "auto" else config.device
    try:
        dtype = _dtype(config, place)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            config.model, revision=config.revision, dtype=dtype, device_map=place
        )
        words = config.adapter if _has_tokenizer(config.adapter) else config.model
        revision = config.revision if words == config.model else None
        tokenizer = transformers.AutoTokenizer.from_pretrained(words, revision=revision)
        ends = _ends(model.generation_config.eos_token_id, tokenizer.eos_token_id)
        model.generation_config = transformers.GenerationConfig(eos_token_id=ends or None)
        if config.adapter is not None:
            model = peft.PeftModel.from_pretrained(model, config.adapter)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        named = " with adapter ".join(filter(None, (config.model, config.adapter)))
        raise GenerationError(
            f"{named}: can not be loaded ({one_line(error)}); see whether it is complete and fits this machine"
        ) from None
    chat = tokenizer.chat_template is not None if config.chat is None else config.chat
    if chat and tokenizer.chat_template is None:
        raise GenerationError(f"{config.model}: its tokenizer has no chat template; leave `chat` out")
    return Model(model.eval(), tokenizer, chat, frozenset(ends))


def _dtype(config: LocalConfig, place: str) -> Any:
    """The numbers to compute with; `auto`: the checkpoint's, but for 16 bits on a processor slow with them."""
    import torch
    import transformers

    if config.dtype != "auto":
        return getattr(torch, config.dtype)
    saved = transformers.AutoConfig.from_pretrained(config.model, revision=config.revision).dtype
    if place != "cpu" or saved not in (torch.float16, torch.bfloat16):
        return "auto"
    return torch.bfloat16 if computes_bfloat16() else torch.float32


def computes_bfloat16() -> bool:
    """Whether this processor has instructions for bfloat16; without them it is emulated, slower than float32."""
    import torch

    known = torch.cpu.get_capabilities()
    return any(known.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def _has_tokenizer(adapter: str | None) -> bool:
    return adapter is not None and (Path(adapter) / "tokenizer_config.json").exists()


def _ends(*ids: int | list[int] | None) -> list[int]:
    """All end-of-sequence tokens, once each."""
    flat = [item for entry in ids for item in (entry if isinstance(entry, list) else [entry])]
    return sorted({item for item in flat if item is not None})


@dataclass(frozen=True)
class Model:
    """A loaded model with its tokenizer."""

    model: Any
    tokenizer: Any
    chat: bool
    ends: frozenset[int]

    def tokens(self, request: Request) -> list[int]:
        """The prompt as the model reads it."""
        if not self.chat:
            check_no_system([request])
            return list(self.tokenizer(request.prompt)["input_ids"]) or [self.pad]
        system = [] if request.system is None else [{"role": "system", "content": request.system}]
        messages = [*system, {"role": "user", "content": request.prompt}]
        text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def check_length(self, request: Request, length: int, max_tokens: int) -> None:
        """Raises GenerationError when prompt and answer do not fit into what the model reads at once."""
        limit = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        if limit is not None and length + max_tokens > limit:
            raise GenerationError(
                f"prompt {request.prompt_id!r}: {length:,} tokens and max_tokens {max_tokens:,} are more than the "
                f"{limit:,} this model reads; shorten the prompt or lower max_tokens"
            )

    def new_cache(self) -> Any:
        """An empty cache of keys and values.

        Raises:
            GenerationError: the model keeps something else.
        """
        from transformers import DynamicCache

        if "past_key_values" not in self._parameters:
            raise GenerationError(
                f"{self.model.config.model_type}: such a model keeps no keys and values, which backend local needs; "
                "serve it, and name the server in generation.server"
            )
        return DynamicCache(config=self.model.config)

    def forward(self, ids: Any, mask: Any, cache: Any) -> Any:
        """Logits of the token after the last one of every row, shape (rows, vocabulary); the cache grows.

        Args:
            ids: Tokens that are not in the cache yet, shape (rows, new).
            mask: 1 for every token of cache and `ids`, 0 for padding, shape (rows, all).
            cache: From `new_cache`.
        """
        import torch

        options: dict[str, Any] = {}
        if "position_ids" in self._parameters:
            options["position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        if "logits_to_keep" in self._parameters:
            options["logits_to_keep"] = 1
        with torch.inference_mode():
            output = self.model(
                input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True, return_dict=True, **options
            )
        return output.logits[:, -1]

    @functools.cached_property
    def _parameters(self) -> frozenset[str]:
        """What the model's `forward` takes."""
        inner = self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model
        return frozenset(inspect.signature(inner.forward).parameters)

    @property
    def device(self) -> Any:
        """Where the first layer lies."""
        return self.model.device

    @property
    def pad(self) -> int:
        """The token that fills up rows; the model never looks at it."""
        pad = self.tokenizer.pad_token_id
        return int(pad) if pad is not None else min(self.ends, default=0)

    def completion(self, prompt: list[int], seed: int, tokens: list[int], stop: Sequence[str]) -> Completion:
        """The text of an answer that has ended. `tokens`: all that were drawn, with the one that ended it."""
        ended = bool(tokens) and tokens[-1] in self.ends
        text = self._decode(prompt, tokens[:-1] if ended else tokens)
        cut = min((place for place in map(text.find, stop) if place >= 0), default=None)
        reason = "stop" if ended or cut is not None else "length"
        return Completion(text[:cut], seed, reason, len(prompt), len(tokens))

    def _decode(self, prompt: list[int], new: list[int]) -> str:
        decode = functools.partial(self.tokenizer.decode, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        before = decode(prompt[-CONTEXT:])
        whole = decode(prompt[-CONTEXT:] + new)
        return str(whole[len(before) :] if whole.startswith(before) else decode(new))


def free_cached() -> None:
    """Gives back the GPU memory that torch keeps for later."""
    import torch

    torch.cuda.empty_cache()


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception of the model says that memory did not suffice."""
    import torch

    words = ("out of memory", "can't allocate memory", "ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(word in str(error) for word in words)
