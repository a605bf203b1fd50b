"""The generator: what is not in the cache yet goes to the model, in batches of prompts of similar length."""

import functools
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from codepref.generate.base import (
    Completion,
    GenerationError,
    OnDone,
    Request,
    Sampling,
    Stats,
    check_requests,
    repeats,
    sample_seed,
)
from codepref.generate.cache import Cache, payload_key
from codepref.generate.local.config import LocalConfig, identity
from codepref.generate.local.model import check_no_system, loaded


@dataclass(frozen=True)
class _Job:
    """One sample: which request, which of its samples."""

    position: int
    index: int
    seed: int
    key: bytes


class LocalGenerator:
    """See `Generator`. Texts go into `cache` batch by batch: an interrupted run generates nothing twice.

    The model is loaded when the first text is needed, and shared by all generators of the same configuration in this
    process until `release` is called.
    """

    def __init__(self, config: LocalConfig, sampling: Sampling, cache: Cache, run_seed: int = 0) -> None:
        self.name = config.name
        self.config = config
        self.sampling = sampling
        self.cache = cache
        self.run_seed = run_seed
        self.stats = Stats()
        self.batch_size = config.batch_size
        """Sequences a batch; smaller than configured once memory ran out."""

    def generate(self, requests: Sequence[Request], on_done: OnDone | None = None) -> list[list[Completion]]:
        """See `Generator.generate`. A text may be empty: it is what the model said, and it is counted.

        Raises:
            GenerationError: the model can not be loaded, a prompt is too long for it, or memory does not suffice for
                one sequence.
        """
        check_requests(requests)
        if self.config.chat is False:
            check_no_system(requests)
        gathered = _Gathered(requests, on_done)
        todo: list[_Job] = []
        for job in self._jobs(requests):
            kept = self.cache.get(job.key)
            if kept is None:
                todo.append(job)
            else:
                self.stats.cached += 1
                gathered.add(job, kept[0])
        if todo:
            self._generate(requests, todo, gathered)
        self.stats.repeated += sum(map(repeats, gathered.slots))
        return gathered.slots

    @functools.cached_property
    def content(self) -> dict[str, Any]:
        """What tells this model from others (`codepref.generate.local.config.identity`)."""
        return identity(self.config)

    def _jobs(self, requests: Sequence[Request]) -> Iterable[_Job]:
        for position, request in enumerate(requests):
            for index in range(request.n):
                seed = sample_seed(self.run_seed, request.prompt_id, request.purpose, index)
                payload = {
                    "local": self.content,
                    "system": request.system,
                    "prompt": request.prompt,
                    "purpose": request.purpose,
                    "temperature": self.sampling.temperature,
                    "top_p": self.sampling.top_p,
                    "max_tokens": self.sampling.max_tokens,
                    "stop": list(self.sampling.stop),
                    "seed": seed,
                }
                yield _Job(position, index, seed, payload_key(payload))

    def _generate(self, requests: Sequence[Request], todo: Sequence[_Job], gathered: "_Gathered") -> None:
        model = loaded(self.config, self.content)
        tokens = {job.position: model.tokens(requests[job.position]) for job in todo}
        for position, found in tokens.items():
            model.check_length(requests[position], len(found), self.sampling.max_tokens)
        # Longest first: memory runs out at once or not at all.
        queue = sorted(todo, key=lambda job: (-len(tokens[job.position]), job.position, job.index))
        start = 0
        while start < len(queue):
            batch = queue[start : start + self.batch_size]
            drawn = model.draw([tokens[job.position] for job in batch], [job.seed for job in batch], self.sampling)
            if drawn is None:
                self._shrink(len(batch), len(tokens[batch[0].position]))
                continue
            start += len(batch)
            for job, completion in zip(batch, drawn, strict=True):
                self.cache.put(job.key, [completion])
                self._count(completion)
                gathered.add(job, completion)

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

    def _count(self, completion: Completion) -> None:
        self.stats.answers += 1
        self.stats.empty += not completion.text.strip()
        self.stats.prompt_tokens += completion.prompt_tokens
        self.stats.completion_tokens += completion.completion_tokens


class _Gathered:
    """What one call of `generate` has so far; says when a request is complete."""

    def __init__(self, requests: Sequence[Request], on_done: OnDone | None) -> None:
        self.slots = [[Completion("", 0)] * request.n for request in requests]
        self._requests = requests
        self._on_done = on_done
        self._open = [request.n for request in requests]

    def add(self, job: _Job, completion: Completion) -> None:
        self.slots[job.position][job.index] = completion
        self._open[job.position] -= 1
        if not self._open[job.position] and self._on_done is not None:
            self._on_done(self._requests[job.position], self.slots[job.position])
