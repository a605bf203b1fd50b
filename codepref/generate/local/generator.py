"""The generator: what is not in the cache yet goes to the model, and into the cache as soon as it has ended."""

import functools
import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from codepref.generate.base import Completion, GenerationError, OnDone, Request, Sampling, Stats
from codepref.generate.cache import Cache
from codepref.generate.cached import CachedLoop, Wanted
from codepref.generate.local.batch import Batch, Row
from codepref.generate.local.config import LocalConfig, identity
from codepref.generate.local.model import check_no_system, free_cached, loaded, out_of_memory

LEAST_FREE = 1 / 8
"""New answers are begun when this share of the places is free."""


class LocalGenerator:
    """See `Generator`. Texts go into `cache` one by one: an interrupted run generates nothing twice.

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
        rows = [Row(wanted, model.tokens(requests[wanted.position]), wanted.seed) for wanted in missing]
        for row in rows:
            model.check_length(requests[row.name.position], len(row.prompt), self.sampling.max_tokens)
        queue = Queue(rows)
        batch = Batch(model, self.sampling)
        with self.stats.clock():
            while queue or batch.rows:
                if not _within_memory(functools.partial(self._fill, batch, queue)):
                    self._shrink(batch, queue)
                    continue
                if not _within_memory(batch.draw):
                    self._shrink(batch, queue)
                    continue
                ended = batch.take_ended()
                self.stats.write(sum(len(row.tokens) for row in batch.rows))
                for row in ended:
                    queue.learn(row)
                    yield row.name, model.completion(row.prompt, row.seed, row.tokens, self.sampling.stop)
                if not _within_memory(batch.advance):
                    self._shrink(batch, queue)

    def _fill(self, batch: Batch, queue: "Queue") -> None:
        """Fills free places, several at a time: to read one prompt costs as much as a token of all others, or more."""
        free = min(self.batch_size - len(batch.rows), len(queue))
        several = max(1, int(self.batch_size * LEAST_FREE))
        if not free or not batch.may_join() or (batch.rows and free < min(several, len(queue))):
            return
        batch.join(queue.first(free))
        queue.drop(free)

    def _shrink(self, batch: Batch, queue: "Queue") -> None:
        """Empties the batch and halves its places. What has been written of its answers is kept."""
        tried = min(self.batch_size, len(batch.rows) + len(queue))
        queue.rows += batch.leave()
        gc.collect()
        free_cached()
        if tried == 1:
            length = max(len(row.prompt) for row in queue.rows)
            raise GenerationError(
                f"{self.name}: out of memory with a single prompt of {length:,} tokens and max_tokens "
                f"{self.sampling.max_tokens:,}; lower max_tokens, set dtype: bfloat16 or take a smaller model"
            )
        self.batch_size = tried // 2
        print(
            f"{self.name}: out of memory with {tried} sequences; going on with batch_size {self.batch_size}",
            file=sys.stderr,
        )


class Queue:
    """Rows that wait, those first that are expected to take longest: so the last ones are short."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = list(rows)
        self._known: dict[int, _Lengths] = {}
        self._all = _Lengths()

    def __len__(self) -> int:
        return len(self.rows)

    def learn(self, row: Row) -> None:
        """Remembers how long an answer became: others of its prompt may be as long."""
        self._known.setdefault(row.name.position, _Lengths()).add(len(row.tokens))
        self._all.add(len(row.tokens))

    def first(self, count: int) -> list[Row]:
        """The next rows; they stay until they are dropped."""
        self.rows.sort(key=lambda row: (-self._expected(row), row.name.position, row.name.index))
        return self.rows[:count]

    def drop(self, count: int) -> None:
        """Removes the rows that `first` gave."""
        self.rows = self.rows[count:]

    def _expected(self, row: Row) -> float:
        """Tokens of prompt and answer; an answer is taken to be as long as those before, of its prompt if there are."""
        known = self._known.get(row.name.position, self._all)
        return len(row.prompt) + known.total / max(known.count, 1)


@dataclass
class _Lengths:
    """How many answers have ended, and their tokens together."""

    count: int = 0
    total: int = 0

    def add(self, tokens: int) -> None:
        """One more answer."""
        self.count += 1
        self.total += tokens


def _within_memory(work: Callable[[], None]) -> bool:
    """Whether there was memory for some work of the model."""
    try:
        work()
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        return False
    return True
