"""One loop for backends that draw every sample by itself: seeds, the request cache, and each text in its place."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codepref.generate.base import Completion, OnDone, Request, Stats, check_requests, repeats, sample_seed
from codepref.generate.cache import Cache, payload_key


@dataclass(frozen=True)
class Wanted:
    """One sample that is asked for: which request, which of its samples."""

    position: int
    index: int
    seed: int
    key: bytes
    """Under which its text lies in the cache."""


PayloadOf = Callable[[Request], Mapping[str, Any]]
"""Everything the texts of a request depend on, but for the seed."""
Draw = Callable[[Sequence[Wanted]], Iterable[tuple[Wanted, Completion]]]
"""Draws what is not in the cache, in any order, each as soon as it is there."""


class CachedLoop:
    """Answers requests from the cache, and by drawing what it lacks. What was drawn is kept at once."""

    def __init__(self, cache: Cache, run_seed: int, stats: Stats) -> None:
        self.cache = cache
        self.run_seed = run_seed
        self.stats = stats

    def complete(
        self, requests: Sequence[Request], payload_of: PayloadOf, draw: Draw, on_done: OnDone | None
    ) -> list[list[Completion]]:
        """All completions, as `Generator.generate` gives them. Raises what `check_requests` and `draw` raise."""
        check_requests(requests)
        slots = _Slots(requests, on_done, self.stats)
        missing: list[Wanted] = []
        for wanted in self._wanted(requests, payload_of):
            kept = self.cache.get(wanted.key)
            if kept is None:
                missing.append(wanted)
            else:
                self.stats.cached += 1
                slots.fill(wanted, kept[0])
        if missing:
            for wanted, completion in draw(missing):
                self.cache.put(wanted.key, [completion])
                self._count(completion)
                slots.fill(wanted, completion)
        self.stats.repeated += sum(map(repeats, slots.completions))
        return slots.completions

    def _wanted(self, requests: Sequence[Request], payload_of: PayloadOf) -> list[Wanted]:
        found = []
        for position, request in enumerate(requests):
            payload = payload_of(request)
            for index in range(request.n):
                seed = sample_seed(self.run_seed, request.prompt_id, request.purpose, index)
                found.append(Wanted(position, index, seed, payload_key({**payload, "seed": seed})))
        return found

    def _count(self, completion: Completion) -> None:
        self.stats.answers += 1
        self.stats.empty += not completion.text.strip()
        self.stats.prompt_tokens += completion.prompt_tokens
        self.stats.completion_tokens += completion.completion_tokens


class _Slots:
    """A place for every completion; says when a request is complete."""

    def __init__(self, requests: Sequence[Request], on_done: OnDone | None, stats: Stats) -> None:
        self.completions = [[Completion("", 0)] * request.n for request in requests]
        self._requests = requests
        self._on_done = on_done
        self._stats = stats
        self._empty = [request.n for request in requests]

    def fill(self, wanted: Wanted, completion: Completion) -> None:
        """Puts a completion in its place."""
        self.completions[wanted.position][wanted.index] = completion
        self._empty[wanted.position] -= 1
        self._stats.partial += 1
        if self._empty[wanted.position]:
            return
        self._stats.partial -= self._requests[wanted.position].n
        if self._on_done is not None:
            self._on_done(self._requests[wanted.position], self.completions[wanted.position])
