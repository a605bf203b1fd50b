"""The generator: what is not in the cache yet goes to the model, in batches of prompts of similar length."""

import functools
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from codepref.generate.base import Completion, GenerationError, OnDone, Request, Sampling, Stats
from codepref.generate.cache import Cache
from codepref.generate.cached import CachedLoop, Wanted
from codepref.generate.local.config import LocalConfig, identity
from codepref.generate.local.model import check_no_system, loaded


class LocalGenerator:
    """See `Generator`. Texts go into `cache` batch by batch: an interrupted run generates nothing twice.

    The model is loaded when the first text is needed, and shared by all generators of the same configuration in this
    process until `release` is called.
    """

    def __init__(self, config: LocalConfig, sampling: Sampling, cache: Cache, run_seed: int = 0) -> None:
        self.name = config.name
        self.config = config
        self.sampling = sampling
        self.stats = Stats()
        self.batch_size = config.batch_size
        """Sequences a batch; smaller than configured once memory ran out."""
        self._loop = CachedLoop(cache, run_seed, self.stats)

    def generate(self, requests: Sequence[Request], on_done: OnDone | None = None) -> list[list[Completion]]:
        """See `Generator.generate`. A text may be empty: it is what the model said, and it is counted.

        Raises:
            GenerationError: the model can not be loaded, a prompt is too long for it, or memory does not suffice for
                one sequence.
        """
        if self.config.chat is False:
            check_no_system(requests)
        return self._loop.complete(requests, self._payload, functools.partial(self._draw, requests), on_done)

    @functools.cached_property
    def content(self) -> dict[str, Any]:
        """What tells this model from others (`codepref.generate.local.config.identity`)."""
        return identity(self.config)

    def _payload(self, request: Request) -> dict[str, Any]:
        return {
            "local": self.content,
            "system": request.system,
            "prompt": request.prompt,
            "purpose": request.purpose,
            "temperature": self.sampling.temperature,
            "top_p": self.sampling.top_p,
            "max_tokens": self.sampling.max_tokens,
            "stop": list(self.sampling.stop),
        }

    def _draw(self, requests: Sequence[Request], missing: Sequence[Wanted]) -> Iterator[tuple[Wanted, Completion]]:
        model = loaded(self.config, self.content)
        tokens = {wanted.position: model.tokens(requests[wanted.position]) for wanted in missing}
        for position, found in tokens.items():
            model.check_length(requests[position], len(found), self.sampling.max_tokens)
        # Longest first: memory runs out at once or not at all.
        queue = sorted(missing, key=lambda wanted: (-len(tokens[wanted.position]), wanted.position, wanted.index))
        start = 0
        while start < len(queue):
            batch = queue[start : start + self.batch_size]
            prompts = [tokens[wanted.position] for wanted in batch]
            drawn = model.draw(prompts, [wanted.seed for wanted in batch], self.sampling)
            if drawn is None:
                self._shrink(len(batch), len(prompts[0]))
                continue
            start += len(batch)
            yield from zip(batch, drawn, strict=True)

    def _shrink(self, size: int, length: int) -> None:
        if size == 1:
            raise GenerationError(
                f"{self.name}: out of memory with a single prompt of {length:,} tokens and max_tokens "
                f"{self.sampling.max_tokens:,}; lower max_tokens, set dtype: bfloat16 or take a smaller model"
            )
        self.batch_size = size // 2
        print(
            f"{self.name}: out of memory with {size} sequences; going on with batch_size {self.batch_size}",
            file=sys.stderr,
        )
