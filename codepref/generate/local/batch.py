"""Answers that are written side by side. One that has ended leaves at once, and another takes its place.

Rows are padded on the left. Keys and values of all rows lie in one cache, which rows leave and join.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from codepref.generate.base import Sampling
from codepref.generate.local.draw import luck, pick, stopped
from codepref.generate.local.model import Model


@dataclass
class Row:
    """One answer on its way."""

    name: Any
    """Whatever tells the caller whose answer it is."""
    prompt: list[int]
    seed: int
    tokens: list[int] = field(default_factory=list)
    """Of the answer, until now."""
    numbers: Any = None
    """Random numbers, one a token."""


class Batch:
    """The rows that a model writes on with, one token each at a time."""

    def __init__(self, model: Model, sampling: Sampling) -> None:
        self.rows: list[Row] = []
        self._model = model
        self._sampling = sampling
        self._cache: Any = None
        self._mask: Any = None
        """1 where the cache holds a token, 0 for padding; shape (rows, length)."""
        self._logits: Any = None
        """Of the token that comes next; shape (rows, vocabulary)."""
        self._places: list[int] = []
        """Where in the three above each row stands; those of rows that have gone are dropped by `advance`."""

    def may_join(self) -> bool:
        """Whether rows can join others: not where the model keeps something else than all keys and values."""
        return not self.rows or _is_plain(self._cache)

    def join(self, rows: Sequence[Row]) -> None:
        """Takes rows in; what they have of an answer is kept. Equal prompts are read once.

        Raises what the model raises without memory.
        """
        import torch

        for row in rows:
            if row.numbers is None and self._sampling.temperature > 0:
                row.numbers = luck(row.seed, self._sampling.max_tokens)
        every = [tuple(row.prompt + row.tokens) for row in rows]
        texts = list(dict.fromkeys(every))
        width = max(map(len, texts))
        device = self._model.device
        ids = torch.tensor([[self._model.pad] * (width - len(text)) + [*text] for text in texts], device=device)
        mask = torch.tensor([[0] * (width - len(text)) + [1] * len(text) for text in texts], device=device)
        cache = self._model.new_cache()
        logits = self._model.forward(ids, mask, cache)
        if len(texts) < len(every):
            # several samples of a prompt: it was read once, and each gets a copy of what was read
            place = {text: number for number, text in enumerate(texts)}
            copies = torch.tensor([place[text] for text in every], device=device)
            cache.batch_select_indices(copies)
            mask, logits = mask[copies], logits[copies]
        if self.rows:
            width = max(mask.shape[1], self._mask.shape[1])
            self._cache = _joined(self._cache, cache, width)
            mask = torch.cat([_padded(self._mask, width, 1), _padded(mask, width, 1)])
            logits = torch.cat([self._logits, logits])
        else:
            self._cache = cache
        self._mask, self._logits = mask, logits
        self.rows = [*self.rows, *rows]
        self._places = list(range(len(self.rows)))

    def draw(self) -> None:
        """Draws the next token of every row. Raises what torch raises without memory; then no row has changed."""
        import torch

        numbers = None
        if self._sampling.temperature > 0:
            numbers = torch.stack([row.numbers[len(row.tokens)] for row in self.rows]).to(self._logits.device)
        for row, token in zip(self.rows, pick(self._logits, numbers, self._sampling).tolist(), strict=True):
            row.tokens.append(token)

    def take_ended(self) -> list[Row]:
        """Returns the rows whose last token ended them; they leave."""
        ended = [self._has_ended(row) for row in self.rows]
        gone = [row for row, end in zip(self.rows, ended, strict=True) if end]
        self._places = [place for place, end in zip(self._places, ended, strict=True) if not end]
        self.rows = [row for row, end in zip(self.rows, ended, strict=True) if not end]
        return gone

    def advance(self) -> None:
        """Reads the tokens that were drawn last. Raises what the model raises without memory."""
        import torch

        if not self.rows:
            self.leave()
            return
        if len(self._places) < len(self._mask):
            self._drop_others()
        ids = torch.tensor([row.tokens[-1:] for row in self.rows], device=self._mask.device)
        self._mask = torch.cat([self._mask, torch.ones_like(self._mask[:, :1])], dim=1)
        self._logits = self._model.forward(ids, self._mask, self._cache)

    def leave(self) -> list[Row]:
        """Empties the batch and returns its rows as far as they are."""
        rows, self.rows, self._places = self.rows, [], []
        self._cache = self._mask = self._logits = None
        return rows

    def _has_ended(self, row: Row) -> bool:
        if row.tokens[-1] in self._model.ends or len(row.tokens) == self._sampling.max_tokens:
            return True
        return stopped(self._model.tokenizer, row.tokens, self._sampling.stop)

    def _drop_others(self) -> None:
        """Lets go of what is left of rows that have gone, and of the padding that none of the others needs."""
        import torch

        chosen = torch.tensor(self._places, device=self._mask.device)
        self._places = list(range(len(self.rows)))
        self._mask = self._mask[chosen]
        self._cache.batch_select_indices(chosen)
        padding = int(self._mask.argmax(1).min())
        if padding and _is_plain(self._cache):
            self._mask = self._mask[:, padding:]
            for layer in self._cache.layers:
                layer.keys = layer.keys[:, :, padding:]
                layer.values = layer.values[:, :, padding:]


def _is_plain(cache: Any) -> bool:
    """Whether a cache holds keys and values of all tokens, and nothing else: no windows, no states."""
    from transformers.cache_utils import DynamicLayer

    return all(type(layer) is DynamicLayer and layer.is_initialized for layer in cache.layers)


def _joined(first: Any, second: Any, width: int) -> Any:
    """One cache with the rows of both, padded to the same length; `first` is used up."""
    import torch

    for layer, other in zip(first.layers, second.layers, strict=True):
        layer.keys = torch.cat([_padded(layer.keys, width, 2), _padded(other.keys, width, 2)])
        layer.values = torch.cat([_padded(layer.values, width, 2), _padded(other.values, width, 2)])
    return first


def _padded(tensor: Any, width: int, dimension: int) -> Any:
    """Zeros before what a tensor holds, up to `width` along a dimension."""
    import torch

    shape = list(tensor.shape)
    shape[dimension] = width - shape[dimension]
    return torch.cat([tensor.new_zeros(shape), tensor], dim=dimension) if shape[dimension] else tensor
