"""How one token is drawn for every row of a batch, and when a row ends."""

from collections.abc import Sequence
from typing import Any

from codepref.generate.base import GenerationError, Sampling

HEAD = 512
"""How many of the likeliest tokens are looked at first: they nearly always hold all that `top_p` keeps."""


def luck(seed: int, count: int) -> Any:
    """Random numbers in [0, 1), shape (count,), float64; they depend on the seed alone, on every machine."""
    import torch

    return torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pick(logits: Any, numbers: Any, sampling: Sampling) -> Any:
    """The token of every row, shape (rows,): the likeliest at temperature 0, else the one its random number picks.

    The token is where the number falls on the cumulative probabilities in the order of the vocabulary: logits that
    differ in their last bits give the same token unless it falls on a boundary.

    Args:
        logits: Shape (rows, vocabulary).
        numbers: In [0, 1), shape (rows,), float64, on the device of the logits.
        sampling: Temperature and top_p.

    Raises:
        GenerationError: logits are not finite numbers.
    """
    import torch

    if sampling.temperature == 0:
        return logits.argmax(-1)
    probability = (logits.double() / sampling.temperature).softmax(-1)
    if not bool(torch.isfinite(probability[:, 0]).all()):
        raise GenerationError("the model's logits are not finite numbers; set dtype: bfloat16 or float32")
    if sampling.top_p == 1:
        return _fall(probability, numbers)
    nucleus = _nucleus(probability, sampling.top_p)
    return nucleus.gather(1, _fall(probability.gather(1, nucleus) * _once(nucleus), numbers)[:, None])[:, 0]


def _fall(weights: Any, numbers: Any) -> Any:
    """The place in every row where its number falls on the running sum of the weights."""
    import torch

    cumulative = weights.cumsum(-1)
    number = numbers[:, None] * cumulative[:, -1:]
    return torch.searchsorted(cumulative, number, right=True).clamp(max=weights.shape[-1] - 1)[:, 0]


def _nucleus(probability: Any, top_p: float) -> Any:
    """The likeliest tokens that together have at least the probability `top_p`, in the order of the vocabulary.

    Of equally likely tokens those come first that come first in the vocabulary. Rows that keep fewer than others repeat
    their last token.
    """
    import torch

    head = probability.topk(min(HEAD, probability.shape[-1])).indices.sort(-1).values
    kept, least = _kept(probability, head, top_p)
    # a token outside the head may be as likely as the last one in it
    if head.shape[-1] < probability.shape[-1] and bool((least <= probability.gather(1, head).amin(-1)).any()):
        everything = torch.arange(probability.shape[-1], device=probability.device).expand(len(probability), -1)
        kept, _ = _kept(probability, everything, top_p)
    return kept


def _kept(probability: Any, tokens: Any, top_p: float) -> tuple[Any, Any]:
    """Of `tokens` (each row ascending) those of the nucleus, and the probability of the least likely one."""
    import torch

    ordered, order = probability.gather(1, tokens).sort(dim=-1, descending=True, stable=True)
    beyond = ordered.cumsum(-1) - ordered >= top_p
    beyond[:, 0] = False
    count = (~beyond).sum(-1)
    least = ordered.gather(1, count[:, None] - 1)[:, 0]
    # what is not kept goes behind everything, and then becomes a repetition of the last that is
    last_of_all = probability.shape[-1]
    found = torch.where(beyond, last_of_all, tokens.gather(1, order)).sort(-1).values[:, : int(count.max())]
    return torch.minimum(found, found.gather(1, count[:, None] - 1)), least


def _once(tokens: Any) -> Any:
    """True where a token is not a repetition of the one before."""
    import torch

    first = torch.ones_like(tokens[:, :1], dtype=torch.bool)
    return torch.cat([first, tokens[:, 1:] != tokens[:, :-1]], dim=1)


def stopped(tokenizer: Any, tokens: Sequence[int], stop: Sequence[str]) -> bool:
    """True when the newest tokens of an answer hold a stop text."""
    if not stop:
        return False
    # a token holds at least a byte, but for two at the edges
    tail = max(len(text.encode()) for text in stop) + 2
    text = tokenizer.decode(tokens[-tail:], skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return any(item in text for item in stop)
