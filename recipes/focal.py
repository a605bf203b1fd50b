"""Focal preference learning: the loss counts the tokens in which a rejected code differs from the chosen one.

Target-DPO (arXiv 2503.02783, eq. 3-8) keeps every chosen token and only those rejected tokens that lie on lines the
chosen code does not have. TRL sums log-probabilities over the batch's `completion_mask`, for policy and reference
alike, so nothing of the loss is rewritten: the weights are a column of the dataset, and the collator turns them into
the mask. They must be a column: TRL keeps precomputed reference log-probabilities under the dataset's fingerprint.

Metrics of a focal run (`rewards/*`, `logps/*`, `logits/*`, `entropy`) are over the weighted tokens only. The end token
of a rejected code lies behind its last line, so it is not counted; that of a chosen one is.
"""

import functools
import types
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from confident import ConfidentPairTrainer
from datasets import Dataset
from packed_trainer import PackedTrainer
from transformers import PreTrainedTokenizerBase
from trl import DPOTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference

from codepref.errors import CodeprefError
from codepref.focus import token_mask

SIDES = ("chosen", "rejected")
DIVIDED = {"ipo", "sigmoid_norm"}
"""Losses that divide by the number of counted tokens: masking would change their scale from pair to pair."""


@dataclass
class FocalArguments:
    """What is in focus, and what each token counts: before the focus, in it, after (and between) it."""

    focus: str = field(
        default="lines",
        metadata={
            "help": "lines: the differing lines, from the dataset's spans (Target-DPO). middle: all between the common "
            "first and last lines of the two codes (Focused-DPO, arXiv 2502.11475).",
            "choices": ["lines", "middle"],
        },
    )
    chosen_focus_weight: list[float] = field(
        default_factory=lambda: [1.0, 1.0, 1.0], metadata={"help": "Weights of chosen tokens: before, in, after."}
    )
    rejected_focus_weight: list[float] = field(
        default_factory=lambda: [0.0, 1.0, 0.0], metadata={"help": "Weights of rejected tokens: before, in, after."}
    )


def check(settings: FocalArguments, training_args: Any) -> None:
    """Raises CodeprefError for settings under which a focal loss is not what it says."""
    for name in ("chosen_focus_weight", "rejected_focus_weight"):
        weights = getattr(settings, name)
        if len(weights) != 3 or min(weights) < 0:
            raise CodeprefError(f"{name}: {weights}; give three numbers of 0 or more: before, in and after the focus")
    divided = DIVIDED & set(training_args.loss_type)
    if divided or training_args.ld_alpha is not None or training_args.use_weighting:
        what = ", ".join(sorted(divided)) or ("ld_alpha" if training_args.ld_alpha is not None else "use_weighting")
        raise CodeprefError(f"{what}: depends on the number of counted tokens, which the focus changes; use sigmoid")
    if training_args.max_length is not None and training_args.truncation_mode != "keep_start":
        raise CodeprefError("truncation_mode: focal DPO needs keep_start")


def rendered(row: dict[str, Any], side: str, tokenizer: PreTrainedTokenizerBase) -> tuple[str, int, int]:
    """The text the model sees for one side of a pair, where the code begins in it, and how much of that is trimmed.

    Raises:
        CodeprefError: the chat template does not show the code.
    """
    prompt, completion = row["prompt"], row[side]
    if isinstance(completion, str):
        return prompt + completion, len(prompt), 0
    options = row.get("chat_template_kwargs") or {}
    text = tokenizer.apply_chat_template(prompt + completion, tokenize=False, **options)
    opening = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True, **options)
    code = completion[-1]["content"]
    shared = next((i for i, (a, b) in enumerate(zip(opening, text, strict=False)) if a != b), len(opening))
    for trimmed, shown in ((0, code), (len(code) - len(code.lstrip()), code.strip())):
        position = text.find(shown, shared)
        if len(completion) == 1 and position >= 0:
            return text, position - trimmed, trimmed
    raise CodeprefError(f"prompt {prompt!r}: the chat template does not show {side} as one answer")


def middle(code: str, other: str) -> list[list[int]]:
    """The span of `code` between the lines with which both codes begin and those with which both end."""
    lines, others = code.splitlines(keepends=True), other.splitlines(keepends=True)
    room = min(len(lines), len(others))
    first = next((i for i in range(room) if lines[i] != others[i]), room)
    last = next((i for i in range(room - first) if lines[-1 - i] != others[-1 - i]), room - first)
    start, stop = len("".join(lines[:first])), len("".join(lines[: len(lines) - last]).rstrip("\n"))
    return [[start, stop]] if stop > start else []


def zones(mask: list[int], weights: list[float]) -> list[float]:
    """One weight a token from the focus mask: before the first focal token, in focus, after that."""
    before, inside, after = weights
    first = mask.index(1) if 1 in mask else len(mask)
    return [inside if bit else (before if i < first else after) for i, bit in enumerate(mask)]


def weigh(
    row: dict[str, Any],
    tokenizer: PreTrainedTokenizerBase,
    focus: str,
    weights: dict[str, list[float]],
    max_length: int | None,
) -> dict[str, Any]:
    """Weights of the completion tokens of a tokenised pair, and how many rejected tokens in focus are within reach.

    Raises:
        CodeprefError: the tokenizer gives other tokens with offsets than without.
    """
    found: dict[str, Any] = {}
    for side, other in zip(SIDES, SIDES[::-1], strict=True):
        text, start, trimmed = rendered(row, side, tokenizer)
        plain = isinstance(row[side], str)
        encoded = tokenizer(text, add_special_tokens=plain, return_offsets_mapping=True)
        if encoded["input_ids"] != row["prompt_ids"] + row[f"{side}_ids"]:
            raise CodeprefError(f"{tokenizer.name_or_path}: offsets come with other tokens; spans can not be placed")
        codes = (_code(row[key], tokenizer) for key in (side, other))
        spans = row[f"{side}_spans"] if focus == "lines" else middle(*codes)
        visible = [[max(first, trimmed), last] for first, last in spans if last > trimmed]
        mask = token_mask(encoded["offset_mapping"], visible, start)[len(row["prompt_ids"]) :]
        found[f"{side}_weights"] = zones(mask, weights[side])
        found["focal_tokens"] = sum(mask)
        reach = len(mask) if max_length is None else max(0, max_length - len(row["prompt_ids"]))
        found["focal_reached"] = sum(mask[:reach])
    return found


def _code(completion: Any, tokenizer: PreTrainedTokenizerBase) -> str:
    """A completion without the end token that TRL appends to plain ones."""
    return completion.removesuffix(tokenizer.eos_token) if isinstance(completion, str) else completion[-1]["content"]


@dataclass
class FocalCollator(DataCollatorForPreference):
    """TRL's collator; tokens of weight 0 leave the completion mask, graded weights travel as `token_weights`."""

    graded: bool = False

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """`completion_mask` and, when graded, `token_weights` (float), both (2 x pairs, length), chosen rows first."""
        batch = super().torch_call(examples)
        mask = batch["completion_mask"]
        weights = torch.zeros(mask.shape)
        rows = [(example["prompt_ids"], example[f"{side}_weights"]) for side in SIDES for example in examples]
        for row, (prompt, values) in enumerate(rows):
            reach = max(0, mask.size(1) - len(prompt))
            weights[row, len(prompt) : len(prompt) + len(values)] = torch.tensor(values[:reach])
        batch["completion_mask"] = mask * (weights != 0)
        if self.graded:
            batch["token_weights"] = weights * batch["completion_mask"]
        return batch


class FocalDPOTrainer(PackedTrainer, ConfidentPairTrainer, DPOTrainer):
    """TRL's DPO trainer on the tokens in focus. `dropped` says how many training pairs had none, and why."""

    _tag_names: ClassVar = ["trl", "dpo", "focal-dpo"]
    _name = "Focal DPO"

    def __init__(
        self, *, args: Any, processing_class: PreTrainedTokenizerBase, settings: FocalArguments, **rest: Any
    ) -> None:
        check(settings, args)
        if not processing_class.is_fast:
            raise CodeprefError(f"{processing_class.name_or_path}: no fast tokenizer; spans need its character offsets")
        self.settings = settings
        self.dropped = {"without focal tokens": 0, "focal tokens cut off": 0}
        both = settings.chosen_focus_weight + settings.rejected_focus_weight
        self.graded = not set(both) <= {0.0, 1.0}
        if processing_class.pad_token is None:
            processing_class.pad_token = processing_class.eos_token
        collator = FocalCollator(
            pad_token_id=processing_class.pad_token_id,
            max_length=args.max_length,
            pad_to_multiple_of=args.pad_to_multiple_of,
            graded=self.graded,
        )
        super().__init__(args=args, processing_class=processing_class, data_collator=collator, **rest)

    def _prepare_dataset(self, dataset: Dataset, processing_class: Any, args: Any, dataset_name: str) -> Dataset:
        settings, given = self.settings, len(dataset)
        dataset = super()._prepare_dataset(dataset, processing_class, args, dataset_name)
        if not len(dataset):
            raise CodeprefError(f"all {given} prompts are longer than max_length {args.max_length}; raise it")
        dataset = dataset.map(
            weigh,
            fn_kwargs={
                "tokenizer": processing_class,
                "focus": settings.focus,
                "weights": {"chosen": settings.chosen_focus_weight, "rejected": settings.rejected_focus_weight},
                "max_length": args.max_length,
            },
            num_proc=args.dataset_num_proc,
            desc=f"Weighing tokens of {dataset_name} dataset",
        )
        focal, reached = dataset["focal_tokens"], dataset["focal_reached"]
        kept = [i for i, count in enumerate(reached) if count]
        if dataset_name == "train":
            none = sum(count == 0 for count in focal)
            self.dropped = {
                "without focal tokens": none,
                "focal tokens cut off": len(dataset) - len(kept) - none,
            }
        if not kept:
            raise CodeprefError(
                f"no {dataset_name} pair has focal tokens within max_length {args.max_length}; raise it"
            )
        return dataset.select(kept) if len(kept) < len(dataset) else dataset

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        self._signature_columns += [
            name for side in SIDES if (name := f"{side}_weights") not in self._signature_columns
        ]

    def _change_forward(self) -> None:
        super()._change_forward()
        if self.graded:  # outermost: weights are in TRL's layout
            for model in self._bases():
                weigh_log_probs(model)


def weigh_log_probs(model: torch.nn.Module) -> None:
    """Makes `model.forward` take `token_weights` (rows, length) and multiply per-token log-probabilities by them."""
    inner = model.forward
    if getattr(inner, "takes_token_weights", False):
        return

    @functools.wraps(inner)
    def forward(self: Any, *args: Any, token_weights: torch.Tensor | None = None, **kwargs: Any) -> Any:
        output = inner(*args, **kwargs)
        if token_weights is not None:
            output.log_probs = output.log_probs * token_weights[:, -output.log_probs.size(1) :]
        return output

    forward.takes_token_weights = True  # type: ignore[attr-defined]
    model.forward = types.MethodType(forward, model)
