"""Losses that listen to the label's confidence, on TRL's trainers: by weight, or as a soft label.

With x = beta times the margin of the log-ratios, a pair's loss is -log s(x), s the logistic function. With

- `weights` a row's whole loss counts `confidence` times: preference and NLL term, for KTO the row's term (Con-DPO,
  arXiv 2603.29292, weighs by the chosen code's consensus)
- `soft` the preference is -p log s(x) - (1 - p) log s(-x), which is -log s(x) + (1 - p) x; the NLL term stays. A
  confidence c says that chosen is right and rejected wrong. Where that is not so, neither is known to be better, and
  half goes to either side: p = c + (1 - c) / 2.

TRL's loss is computed as it is, with all that it logs; what the confidence changes is added to it. It is a function of
the log-probabilities that the model has just given, so packing, focal weights, adapters, precomputed references and
accumulation are as they were.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from signals import CONFIDENCE


def soft_label(confidence: torch.Tensor) -> torch.Tensor:
    """Probability that the chosen code is the better one."""
    return (1 + confidence) / 2


def collate(inner: Callable[..., dict[str, Any]], examples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """TRL's batch, with the rows' confidences."""
    batch = inner(examples)
    if CONFIDENCE in examples[0]:
        batch[CONFIDENCE] = torch.tensor([example[CONFIDENCE] for example in examples])
    return batch


class ConfidentTrainer:
    """Mixed with a trainer of TRL's: its batches hold `confidence`, unless `label_confidence` is none."""

    label_confidence = "none"

    def __init__(self, *, label_confidence: str = "none", **rest: Any) -> None:
        self.label_confidence = label_confidence
        super().__init__(**rest)
        if label_confidence != "none":
            self.data_collator = functools.partial(collate, self.data_collator)  # type: ignore[has-type]

    def _set_signature_columns_if_needed(self: Any) -> None:
        super()._set_signature_columns_if_needed()  # type: ignore[misc]
        if self.label_confidence != "none" and CONFIDENCE not in self._signature_columns:
            self._signature_columns.append(CONFIDENCE)


class ConfidentPairTrainer(ConfidentTrainer):
    """For DPO."""

    def compute_ref_log_probs(self: Any, model: Any, inputs: dict[str, Any]) -> Any:
        """As TRL's, whose model takes every other key of a batch."""
        rest = {name: value for name, value in inputs.items() if name != CONFIDENCE}
        return super().compute_ref_log_probs(model, rest)  # type: ignore[misc]

    def _compute_loss(self: Any, model: Any, inputs: dict[str, Any], return_outputs: bool) -> Any:
        rest = {name: value for name, value in inputs.items() if name != CONFIDENCE}
        if CONFIDENCE not in inputs:
            return super()._compute_loss(model, rest, return_outputs)  # type: ignore[misc]
        outputs: list[Any] = []  # the policy's, then the reference's
        models = [one for one in (self.model, self.ref_model) if one is not None]
        hooks = [one.register_forward_hook(lambda _, __, output: outputs.append(output)) for one in models]
        try:
            found = super()._compute_loss(model, rest, return_outputs)  # type: ignore[misc]
        finally:
            for hook in hooks:
                hook.remove()
        change = self._change_of_loss(rest, inputs[CONFIDENCE], [output.log_probs for output in outputs[:2]])
        return (found[0] + change, found[1]) if return_outputs else found + change

    def _change_of_loss(
        self: Any, inputs: dict[str, Any], confidence: torch.Tensor, log_probs: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        """What the confidence adds to the batch's loss.

        Args:
            inputs: TRL's batch, chosen rows first.
            confidence: (pairs,)
            log_probs: The policy's and, if it was not precomputed, the reference's, (2 x pairs, length - 1); 0 where
                nothing counts.
        """
        counted = inputs["completion_mask"][:, 1:].bool()
        policy = log_probs[0][:, -counted.size(1) :]
        if self.precompute_ref_logps:
            reference = torch.cat([inputs["ref_chosen_logps"], inputs["ref_rejected_logps"]])
        else:
            reference = log_probs[1][:, -counted.size(1) :].sum(1)
        chosen, rejected = (policy.sum(1) - reference).chunk(2)
        margin = self.beta * (chosen - rejected)
        confidence = confidence.to(margin)
        preference, nll = self._weight_of("sigmoid"), self._weight_of("sft")
        if self.label_confidence == "soft":
            return preference * ((1 - soft_label(confidence)) * margin).mean()
        half = len(margin)
        lacking = confidence - 1
        each = -(policy[:half] * lacking[:, None])[counted[:half]].mean() if nll else 0.0
        return preference * (lacking * -F.logsigmoid(margin)).mean() + nll * each

    def _weight_of(self: Any, loss: str) -> float:
        """With which weight a loss is in the sum."""
        return float(sum(w for name, w in zip(self.loss_types, self.loss_weights, strict=True) if name == loss))


class ConfidentRowTrainer(ConfidentTrainer):
    """For KTO, by weight: TRL multiplies each class's losses by its weight, which may be one a row."""

    def _compute_loss(self: Any, model: Any, inputs: dict[str, Any], return_outputs: bool) -> Any:
        rest = {name: value for name, value in inputs.items() if name != CONFIDENCE}
        if CONFIDENCE not in inputs:
            return super()._compute_loss(model, rest, return_outputs)  # type: ignore[misc]
        confidence, good = inputs[CONFIDENCE], inputs["label"].bool().to(inputs[CONFIDENCE].device)
        weights = self.desirable_weight, self.undesirable_weight
        self.desirable_weight, self.undesirable_weight = weights[0] * confidence[good], weights[1] * confidence[~good]
        try:
            return super()._compute_loss(model, rest, return_outputs)  # type: ignore[misc]
        finally:
            self.desirable_weight, self.undesirable_weight = weights
