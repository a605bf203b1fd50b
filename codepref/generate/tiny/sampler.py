"""Draws texts from the tiny model, many at once.

A text depends on its prompt and its seed only, whatever else is in the batch, on how many threads and on which
processor. Every draw uses a number of its own sequence; what is left is that float32 sums differ in their last digits
with the shape of a batch. So where a draw falls within MARGIN of the edge between two tokens, the row is computed once
more, alone and in float64, and that decides.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from codepref.generate.base import Sampling
from codepref.generate.tiny.network import KeyValueCache, Network

MARGIN = 1e-4
"""Largest error a cumulative probability may have in float32; the largest seen is 1.5e-6."""
LOGIT_MARGIN = 1e-2
"""The same for the difference of two logits, at temperature 0."""
LONGEST = 192
"""Most tokens of an answer; documents of the corpus have up to 120."""
ROWS = 192
"""Rows of a batch."""
COMPACT = 0.6
"""Finished rows leave the batch when fewer than this share of them is still being written."""


@dataclass(frozen=True)
class TextJob:
    """One text to be written."""

    ids: tuple[int, ...]
    """Token ids of the prompt."""
    seed: int
    lines: int | None = None
    """End after so many lines."""


@dataclass
class Written:
    """The tokens of an answer, its end included."""

    ids: list[int] = field(default_factory=list)
    finished: bool = False
    """Whether the model ended it; otherwise there was no room for more."""


class Sampler:
    """A checkpoint ready to be sampled from."""

    def __init__(self, checkpoint: Path, end: int, newline: int, threads: int | None = None) -> None:
        """Load a checkpoint folder.

        Args:
            checkpoint: The folder.
            end: Token id that ends a text.
            newline: Token id of the end of a line that is not followed by an indented one.
            threads: Batches written at the same time; by default one for each core.
        """
        self.end = end
        self.newline = newline
        self.network = Network(checkpoint)
        self.exact = Network(checkpoint, torch.float64)
        self.threads = threads or len(os.sched_getaffinity(0))

    def write(self, jobs: Sequence[TextJob], sampling: Sampling) -> Iterator[tuple[int, Written]]:
        """All texts, each with the number of its job, as they are done."""
        order = sorted(range(len(jobs)), key=lambda n: (len(jobs[n].ids), jobs[n].ids))
        chosen = [order[start : start + ROWS] for start in range(0, len(order), ROWS)]

        def work(batch: list[int]) -> tuple[list[int], list[Written]]:
            return batch, self.batch([jobs[n] for n in batch], sampling)

        # A thread of PyTorch's own for every batch would only get in the others' way.
        with ThreadPoolExecutor(self.threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for batch, texts in pool.map(work, chosen):
                yield from zip(batch, texts, strict=True)

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def batch(self, jobs: Sequence[TextJob], sampling: Sampling) -> list[Written]:
        """The texts of one batch."""
        longest = max(len(job.ids) for job in jobs)
        room = min(sampling.max_tokens, LONGEST, self.network.positions - longest)
        texts = [Written() for _ in jobs]
        draws = np.stack([uniforms(job.seed, room) for job in jobs])
        logits, cache = self._read(jobs, longest, longest + room)
        rows = np.arange(len(jobs))
        for step in range(room):
            chosen = self._choose(logits, draws[rows, step], sampling, [(jobs[n], texts[n]) for n in rows.tolist()])
            for n, token in zip(rows.tolist(), chosen.tolist(), strict=True):
                if not texts[n].finished:
                    texts[n].ids.append(token)
                    texts[n].finished = token == self.end or self._last_line(jobs[n], texts[n])
            open_ = np.array([not texts[n].finished for n in rows])
            if not open_.any():
                break
            if open_.sum() < COMPACT * len(rows):
                kept = torch.from_numpy(np.flatnonzero(open_))
                cache, chosen, rows = cache.rows(kept, longest + step), chosen[open_], rows[open_]
            if step + 1 < room:
                logits = self.network.forward(torch.from_numpy(chosen)[:, None], cache, longest + step)
        return texts

    def _last_line(self, job: TextJob, text: Written) -> bool:
        return text.ids[-1] == self.newline and text.ids.count(self.newline) == job.lines

    def _read(self, jobs: Sequence[TextJob], longest: int, columns: int) -> tuple[torch.Tensor, KeyValueCache]:
        """Logits after the prompts and their cache; a prompt that several jobs share is read once."""
        prompts = list(dict.fromkeys(job.ids for job in jobs))
        pads = torch.tensor([longest - len(ids) for ids in prompts])
        padded = torch.tensor([[0] * (longest - len(ids)) + list(ids) for ids in prompts])
        cache = self.network.cache(pads, columns)
        logits = self.network.forward(padded, cache, 0)
        places = {ids: place for place, ids in enumerate(prompts)}
        index = torch.tensor([places[job.ids] for job in jobs])
        return logits[index], cache.rows(index, longest)

    def _choose(
        self, logits: torch.Tensor, draws: np.ndarray, sampling: Sampling, rows: Sequence[tuple[TextJob, Written]]
    ) -> np.ndarray:
        """The next token of every row."""
        chosen, sure = choose(logits, draws, sampling)
        for place in np.flatnonzero(~sure).tolist():
            job, text = rows[place]
            if not text.finished:
                ids = torch.tensor([[*job.ids, *text.ids]])
                alone = self.exact.forward(ids, self.exact.cache(torch.tensor([0]), ids.shape[1]), 0)
                chosen[place] = choose(alone, draws[place : place + 1], sampling)[0][0]
        return chosen


def uniforms(seed: int, n: int) -> np.ndarray:
    """`n` numbers in [0, 1) that belong to a seed: (n,) float64."""
    return (np.random.Philox(key=seed).random_raw(n) >> np.uint64(11)) * 2.0**-53


def choose(logits: torch.Tensor, draws: np.ndarray, sampling: Sampling) -> tuple[np.ndarray, np.ndarray]:
    """Tokens drawn from logits (rows, vocabulary) with one number in [0, 1) a row.

    Returns the tokens and whether each is the same for all logits that differ by no more than rounding: (rows,) each.
    """
    if sampling.temperature == 0:
        best, tokens = logits.topk(2)
        return tokens[:, 0].numpy(), (best[:, 0] - best[:, 1] > LOGIT_MARGIN).numpy()
    shares = torch.softmax(logits / sampling.temperature, dim=-1)
    sure = np.ones(len(draws), dtype=bool)
    if sampling.top_p < 1:
        shares, sure = _nucleus(shares, sampling.top_p)
    edges = shares.cumsum(-1, dtype=torch.float64)
    place = torch.from_numpy(draws)[:, None] * edges[:, -1:]
    tokens = torch.searchsorted(edges, place, right=True).clamp_(max=logits.shape[1] - 1)
    upper = edges.gather(1, tokens)
    lower = upper - shares.gather(1, tokens)
    far = ((place - lower).minimum(upper - place) > MARGIN).squeeze(1).numpy()
    return tokens.squeeze(1).numpy(), far & sure


def _nucleus(shares: torch.Tensor, top_p: float) -> tuple[torch.Tensor, np.ndarray]:
    """The most likely tokens that together reach `top_p`, and whether rounding could change which they are."""
    ordered, index = shares.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(-1, dtype=torch.float64) - ordered
    sure = ((before - top_p).abs().min(dim=-1).values > MARGIN).numpy()
    kept = torch.zeros_like(shares).scatter(1, index, ordered * (before < top_p))
    return kept, sure
