"""A causal language model in memory: the one place that knows transformers."""

import functools
import gc
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codepref.generate.base import Completion, GenerationError, Request, Sampling
from codepref.generate.local.config import LocalConfig, one_line
from codepref.generate.local.draw import chooser, luck, stopper

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
        import torch

        _held.clear()
        gc.collect()
        torch.cuda.empty_cache()


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
    dtype = config.dtype if config.dtype == "auto" else getattr(torch, config.dtype)
    place = automatic if config.device == "auto" else config.device
    try:
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
            return list(self.tokenizer(request.prompt)["input_ids"]) or [self._pad]
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

    def draw(self, prompts: Sequence[list[int]], seeds: Sequence[int], sampling: Sampling) -> list[Completion] | None:
        """One text a prompt, or None when memory does not suffice for so many at once."""
        import torch

        try:
            rows = self._generate(prompts, seeds, sampling)
        except (RuntimeError, MemoryError) as error:
            if not _out_of_memory(error):
                raise
            rows = None
        if rows is None:  # only here has the exception, with all it holds in memory, gone
            gc.collect()
            torch.cuda.empty_cache()
            return None
        return [
            self._completion(prompt, seed, row, sampling.stop)
            for prompt, seed, row in zip(prompts, seeds, rows, strict=True)
        ]

    def _generate(self, prompts: Sequence[list[int]], seeds: Sequence[int], sampling: Sampling) -> list[list[int]]:
        """The new tokens of every row, with whatever follows its end."""
        import torch
        import transformers

        width = max(map(len, prompts))
        padded = [[self._pad] * (width - len(prompt)) + prompt for prompt in prompts]
        mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        device = self.model.device
        options: dict[str, Any] = {}
        if sampling.temperature > 0:
            options["logits_processor"] = [chooser(sampling, luck(seeds, sampling.max_tokens).to(device), width)]
        if sampling.stop:
            options["stopping_criteria"] = [stopper(self.tokenizer, sampling.stop, width)]
        with torch.inference_mode():
            output = self.model.generate(
                input_ids=torch.tensor(padded, device=device),
                attention_mask=torch.tensor(mask, device=device),
                generation_config=transformers.GenerationConfig(
                    do_sample=False,  # the tokens are drawn by `chooser`
                    max_new_tokens=sampling.max_tokens,
                    eos_token_id=sorted(self.ends) or None,
                    pad_token_id=self._pad,
                ),
                **options,
            )
        return output[:, width:].tolist()  # type: ignore[no-any-return]

    @property
    def _pad(self) -> int:
        pad = self.tokenizer.pad_token_id
        return int(pad) if pad is not None else min(self.ends, default=0)

    def _completion(self, prompt: list[int], seed: int, row: list[int], stop: Sequence[str]) -> Completion:
        end = next((i for i, token in enumerate(row) if token in self.ends), None)
        count = len(row) if end is None else end + 1
        new = row[:end]
        text = self._decode(prompt, new)
        cut = min((place for place in map(text.find, stop) if place >= 0), default=None)
        if cut is not None:
            while new and new[-1] == self._pad:  # the rest of the batch went on
                new.pop()
            count = len(new)
        reason = "length" if end is None and cut is None else "stop"
        return Completion(text[:cut], seed, reason, len(prompt), count)

    def _decode(self, prompt: list[int], new: list[int]) -> str:
        decode = functools.partial(self.tokenizer.decode, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        before = decode(prompt[-CONTEXT:])
        whole = decode(prompt[-CONTEXT:] + new)
        return str(whole[len(before) :] if whole.startswith(before) else decode(new))


def _out_of_memory(error: BaseException) -> bool:
    import torch

    words = ("out of memory", "can't allocate memory", "ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(word in str(error) for word in words)
