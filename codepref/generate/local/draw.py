"""How one token is drawn for every row of a batch, and when a row ends."""

from collections.abc import Sequence
from typing import Any

from codepref.generate.base import GenerationError, Sampling


def luck(seeds: Sequence[int], count: int) -> Any:
    """Random numbers in [0, 1), shape (seeds, count); a row depends on its seed alone, on every machine."""
    import torch

    def row(seed: int) -> Any:
        return torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

    return torch.stack([row(seed) for seed in seeds])


def chooser(sampling: Sampling, numbers: Any, width: int) -> Any:
    """A logits processor that leaves each row the one token that its random number picks.

    The token is where the number falls on the cumulative probabilities: logits that differ in their last bits give the
    same token unless it falls on a boundary.
    """
    import torch

    def choose(input_ids: Any, scores: Any) -> Any:
        logits = scores.double() / sampling.temperature
        if sampling.top_p < 1:
            logits = _nucleus(logits, sampling.top_p)
        cumulative = logits.softmax(-1).cumsum(-1)
        whole = cumulative[:, -1:]
        if not bool(torch.isfinite(whole).all()):
            raise GenerationError("the model's logits are not finite numbers; set dtype: bfloat16 or float32")
        number = numbers[:, input_ids.shape[1] - width, None] * whole
        token = torch.searchsorted(cumulative, number, right=True).clamp(max=scores.shape[-1] - 1)
        return torch.full_like(scores, -torch.inf).scatter_(1, token, 0.0)

    return choose


def _nucleus(logits: Any, top_p: float) -> Any:
    """Logits of the likeliest tokens that together have at least the probability `top_p`; -inf for the others."""
    import torch

    ordered, order = logits.sort(dim=-1, descending=True, stable=True)
    probability = ordered.softmax(-1)
    beyond = probability.cumsum(-1) - probability >= top_p
    beyond[:, 0] = False
    return torch.where(torch.zeros_like(beyond).scatter(1, order, beyond), -torch.inf, logits)


def stopper(tokenizer: Any, stop: Sequence[str], width: int) -> Any:
    """A stopping criterion: rows whose newest tokens hold a stop text are done."""
    import torch

    # a token holds at least a byte, but for two at the edges
    tail = max(len(text.encode()) for text in stop) + 2

    def stopped(input_ids: Any, _scores: Any, **_: Any) -> Any:
        newest = input_ids[:, max(width, input_ids.shape[1] - tail) :]
        texts = tokenizer.batch_decode(newest, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return torch.tensor([any(item in text for item in stop) for text in texts], device=input_ids.device)

    return stopped
