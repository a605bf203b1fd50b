"""What TRL's trainers for preferences are mixed with for packed steps: how often what is computed, how much at once."""

import contextlib
from typing import Any

import torch
from packing import owned, pack

from codepref.errors import CodeprefError

LOGGED = ("entropy", "logits/chosen", "logits/rejected", "mean_token_accuracy")
"""Names in TRL's log of what it computes beside log-probabilities."""


def check_budget(packing: str, max_tokens: int | None, training_args: Any) -> None:
    """Refuses a budget of tokens that can not be kept; makes the batches of a precomputed reference fit one that can.

    Raises:
        CodeprefError: a budget without packing, or of less than one pair.
    """
    if max_tokens is None:
        return
    if packing == "none":
        raise CodeprefError("max_tokens_per_batch: counts packed tokens; set packing: prefix")
    if training_args.max_length is None:
        raise CodeprefError("max_tokens_per_batch: a row may have any number of tokens; set max_length")
    longest = 2 * training_args.max_length
    if max_tokens < longest:
        raise CodeprefError(f"max_tokens_per_batch: {max_tokens}; a pair can have {longest} tokens (2 x max_length)")
    training_args.precompute_ref_batch_size = training_args.precompute_ref_batch_size or max_tokens // longest


def divide(costs: list[int], budget: int) -> list[list[int]]:
    """Puts pairs into parts of at most `budget` tokens: the longest first, each into the first part with room.

    Args:
        costs: Tokens of each pair; one above the budget is a part by itself.
        budget: Tokens of a part.
    """
    parts: list[list[int]] = []
    room: list[int] = []
    for pair in sorted(range(len(costs)), key=lambda pair: -costs[pair]):
        place = next((i for i, left in enumerate(room) if left >= costs[pair]), None)
        if place is None:
            parts.append([pair])
            room.append(budget - costs[pair])
        else:
            parts[place].append(pair)
            room[place] -= costs[pair]
    return parts


def stretch(parts: list[list[int]], count: int) -> list[list[int]]:
    """Divides the largest parts further until there are `count`, so that all processes take as many passes."""
    parts = [list(part) for part in parts]
    while len(parts) < count:
        largest = max(parts, key=len)
        half = len(largest) // 2
        parts.append(largest[half:])
        del largest[half:]
    return parts


class PackedTrainer:
    """Mixed with a trainer of TRL's: `packing`, a budget of tokens, and logs that cost only where they are read."""

    packing = "none"
    max_tokens: int | None = None
    _share = 1.0
    """What part of the batch's pairs is in this pass."""

    def __init__(self, *, packing: str = "none", max_tokens: int | None = None, **rest: Any) -> None:
        self.packing, self.max_tokens = packing, max_tokens
        super().__init__(**rest)
        if max_tokens and (self.is_fsdp_enabled or self.is_deepspeed_enabled):  # type: ignore[attr-defined]
            raise CodeprefError("max_tokens_per_batch: not for sharded models; set per_device_train_batch_size instead")
        self._change_forward()

    def _precompute_ref_logps(self, *args: Any, **kwargs: Any) -> Any:
        self._change_forward()  # the parent computes these before its constructor is over
        return super()._precompute_ref_logps(*args, **kwargs)  # type: ignore[misc]

    def _bases(self: Any) -> list[Any]:
        """The models themselves, policy first, below adapters and distributed wrappers."""
        models = [self.accelerator.unwrap_model(model) for model in (self.model, self.ref_model) if model is not None]
        return [model.get_base_model() if hasattr(model, "get_base_model") else model for model in models]

    def _change_forward(self: Any) -> None:
        if self.packing != "none":
            policy, *reference = self._bases()
            pack(policy, self.packing, self._is_lean)
            for model in reference:
                pack(model, self.packing)

    def _is_lean(self: Any) -> bool:
        """Whether nobody reads more than log-probabilities: the reference's pass, a step that is not logged."""
        if not self.model.training:
            return False
        return not torch.is_grad_enabled() or self._goes_unlogged()

    def _goes_unlogged(self: Any) -> bool:
        args, step = self.args, self.state.global_step + 1
        if args.logging_strategy != "steps" or getattr(args, "use_weighting", False):
            return False
        return bool(step % self.state.logging_steps and not (step == 1 and args.logging_first_step))

    def _compute_loss(self: Any, *args: Any, **kwargs: Any) -> Any:
        metrics = self._metrics["train"]
        known = {name: len(metrics.get(name, ())) for name in LOGGED}
        found = super()._compute_loss(*args, **kwargs)  # type: ignore[misc]
        if self.packing != "none" and self.model.training and self._goes_unlogged():
            for name in LOGGED:
                metrics[name] = metrics[name][: known[name]]
                if not metrics[name]:  # TRL logs the mean
                    del metrics[name]
        return found * self._share if self._share != 1.0 else found

    def training_step(self: Any, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        """One batch, in as many passes as the budget of tokens asks for; each counts by its share of the pairs."""
        parts = self._parts(inputs) if self.max_tokens else []
        if len(parts) < 2:
            return super().training_step(model, inputs, num_items_in_batch)  # type: ignore[misc, no-any-return]
        losses = []
        for number, pairs in enumerate(parts):
            self._share = len(pairs) / sum(map(len, parts))
            last = number == len(parts) - 1
            with contextlib.nullcontext() if last else self.accelerator.no_sync(model):
                losses.append(super().training_step(model, taken(inputs, pairs), num_items_in_batch))  # type: ignore[misc]
        self._share = 1.0
        return torch.stack(losses).sum()

    def _parts(self: Any, inputs: dict[str, Any]) -> list[list[int]]:
        labels = inputs["input_ids"].masked_fill(inputs["completion_mask"] == 0, -100)
        own, _ = owned(inputs["input_ids"], inputs["attention_mask"], labels, self.packing == "prefix")
        parts = divide(own.sum(1).view(2, -1).sum(0).tolist(), self.max_tokens)
        if self.accelerator.num_processes > 1:
            count = self.accelerator.gather(torch.tensor([len(parts)], device=self.accelerator.device)).max().item()
            parts = stretch(parts, count)
        return parts


def taken(inputs: dict[str, Any], pairs: list[int]) -> dict[str, Any]:
    """The batch of some of its pairs: tensors have a row a pair, or two, chosen ones first."""
    half = len(inputs["input_ids"]) // 2
    both = [*pairs, *(pair + half for pair in pairs)]
    return {name: value[both if len(value) == 2 * half else pairs] for name, value in inputs.items()}
