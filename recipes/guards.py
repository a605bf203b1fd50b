"""What is checked before and while a recipe trains: lengths, ends, boundaries, balance of classes, log-probs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from datasets import Dataset
from transformers import PreTrainedTokenizerBase, TrainerCallback

from codepref.errors import CodeprefError

LOOKED_AT = 1000
"""Rows that the checks of ends and boundaries look at: what they find is a property of template and tokenizer."""


class ChosenGuard(TrainerCallback):
    """Watches the chosen completions' log-probability against the reference's.

    A preference loss rewards the margin alone, so the model can lose the chosen code too while the loss looks fine.
    Adds `logps/chosen_change`, in nats per counted token, to the log. `stopped` holds the message once it has spoken.
    """

    def __init__(self, beta: float, tokens: float, limit: float, action: str) -> None:
        self.beta, self.tokens, self.limit, self.action = beta, tokens, limit, action
        self.stopped: str | None = None

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        """Called by the trainer with what it logs; the reward is beta times the sum over a completion."""
        if not logs or "rewards/chosen" not in logs:
            return
        change = logs["rewards/chosen"] / self.beta / self.tokens
        logs["logps/chosen_change"] = round(change, 6)
        state.log_history[-1]["logps/chosen_change"] = logs["logps/chosen_change"]
        if self.action == "off" or change > -self.limit or self.stopped:
            return
        self.stopped = (
            f"step {state.global_step}: chosen code has lost {-change:.2f} nats a token against the reference (limit "
            f"{self.limit}): the model unlearns good code with the bad. Lower learning_rate, raise beta or the weight "
            f"of the NLL term (alpha), or set chosen_guard: warn"
        )
        if self.action == "stop":
            control.should_training_stop = True
        elif state.is_world_process_zero:
            print(f"warning: {self.stopped}")


def balance(labels: Sequence[bool], desirable: float, undesirable: float) -> tuple[float, float]:
    """KTO's class weights: those given, or, when both are 1, such that both classes weigh the same.

    Raises:
        CodeprefError: only one class is there.
    """
    good = sum(labels)
    bad = len(labels) - good
    if not good or not bad:
        raise CodeprefError(f"KTO needs desirable and undesirable rows; there are {good} and {bad}")
    if desirable != 1.0 or undesirable != 1.0 or good == bad:
        return desirable, undesirable
    return (round(bad / good, 4), 1.0) if good < bad else (1.0, round(good / bad, 4))


def preferences(
    dataset: Dataset, sides: Sequence[str], given: int, tokenizer: PreTrainedTokenizerBase, max_length: int | None
) -> dict[str, Any]:
    """Checks the tokenised rows of a preference trainer; the lengths and the warnings go to the log and the card.

    Args:
        dataset: Rows with `prompt_ids` and, uncut, the columns of completion ids named by `sides`.
        sides: Columns of completion ids, the good one first.
        given: Rows before the trainer dropped those without room for a completion.
        tokenizer: The model's.
        max_length: Tokens of prompt and completion that are trained on.

    Raises:
        CodeprefError: nothing is left, or completions do not end.
    """
    if not len(dataset):
        raise CodeprefError(f"all {given} prompts are longer than max_length {max_length}; raise it")
    prompts = [len(ids) for ids in dataset["prompt_ids"]]
    each = [[len(ids) for ids in dataset[side]] for side in sides]
    whole = [prompt + max(counts) for prompt, *counts in zip(prompts, *each, strict=True)]
    for side in sides:
        ends(dataset[side][:LOOKED_AT], side.removesuffix("_ids"), tokenizer)
    texts = dataset["chosen" if "chosen" in dataset.column_names else "completion"]
    return {
        "lengths": {**lengths(whole, given, max_length), "completion_mean": round(float(np.mean(each[0])), 1)},
        "warnings": boundary(dataset["prompt"][:LOOKED_AT], texts[:LOOKED_AT], prompts, tokenizer),
    }


def completions(
    given: Dataset, prepared: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int | None, packed: bool
) -> dict[str, Any]:
    """The same for the SFT trainer, which cuts and packs its rows itself.

    Args:
        given: Rows `prompt`, `completion`.
        prepared: What the trainer made of them.
        tokenizer: The model's.
        max_length: Tokens of a row, or of a pack.
        packed: Rows are packed.
    """
    whole = [_count(row["prompt"] + row["completion"], tokenizer) for row in given]
    prompts = [_count(row["prompt"], tokenizer, opening=True) for row in given]
    fits = [packed or not max_length or before < max_length for before in prompts]
    kept = [count for count, fit in zip(whole, fits, strict=True) if fit]
    if not kept:
        raise CodeprefError(f"all {len(given)} prompts are longer than max_length {max_length}; raise it")
    report = lengths(kept, len(given), max_length)
    if packed:
        return {"lengths": report, "warnings": []}
    labels = prepared["labels"]
    ends([row for row in labels if max_length is None or len(row) < max_length][:LOOKED_AT], "completion", tokenizer)
    counted = [next(i for i, label in enumerate(row) if label != -100) for row in labels[:LOOKED_AT]]
    columns = prepared["prompt"][:LOOKED_AT], prepared["completion"][:LOOKED_AT]
    return {"lengths": report, "warnings": boundary(*columns, counted, tokenizer)}


def _count(text: Any, tokenizer: PreTrainedTokenizerBase, opening: bool = False) -> int:
    """Tokens of a plain text, or of messages in the model's template; the end token of plain text is left out."""
    if isinstance(text, str):
        return len(tokenizer(text)["input_ids"])
    return len(tokenizer.apply_chat_template(text, add_generation_prompt=opening, return_dict=True)["input_ids"])


def lengths(whole: Sequence[int], given: int, max_length: int | None) -> dict[str, Any]:
    """How many tokens the rows have (`whole`: those that are kept), and how many rows `max_length` drops and cuts."""
    median, high, top = np.percentile(whole, [50, 95, 100]).astype(int).tolist()
    return {
        "rows": given,
        "kept": len(whole),
        "dropped": given - len(whole),
        "cut": sum(count > max_length for count in whole) if max_length else 0,
        "max_length": max_length,
        "tokens": {"median": median, "95 %": high, "longest": top},
    }


def ends(completions: Sequence[Sequence[int]], name: str, tokenizer: PreTrainedTokenizerBase) -> None:
    """Raises CodeprefError when completions do not end with the token that ends an answer: such a model never stops.

    A chat template may put a line break behind the end token, so the last three tokens are looked at.
    """
    missing = [i for i, ids in enumerate(completions) if tokenizer.eos_token_id not in ids[-3:]]
    if missing:
        raise CodeprefError(
            f"{len(missing)} of {len(completions)} {name} completions do not end with {tokenizer.eos_token!r} (first: "
            f"row {missing[0]}): a model trained on them does not stop. Set the tokenizer's eos_token to the token "
            "that ends a turn in its chat template"
        )


def boundary(
    prompts: Sequence[Any], codes: Sequence[Any], counted: Sequence[int], tokenizer: PreTrainedTokenizerBase
) -> list[str]:
    """Warnings about plain prompts that do not end where a token ends, or that run into the completion.

    Args:
        prompts: Prompts; messages need no look, a template sets its own boundaries.
        codes: Their completions.
        counted: Tokens of each prompt that are trained on as a prompt.
        tokenizer: The model's.
    """
    if not isinstance(prompts[0], str):
        return []
    alone = tokenizer(list(prompts))["input_ids"]
    merged = [ids[kept:] for ids, kept in zip(alone, counted, strict=False) if len(ids) > kept]
    glued = [(p[-12:] + c[:12]) for p, c in zip(prompts, codes, strict=True) if p[-1:].isalnum() and c[:1].isalnum()]
    found = []
    if merged:
        found.append(
            f"{len(merged)} of {len(prompts)} prompts end inside a token: their tail ({tokenizer.decode(merged[0])!r}) "
            "merges with the completion, so training and generation see different tokens. Use chat: true, or a "
            "prompt_template that ends on a token"
        )
    if glued:
        found.append(
            f"{len(glued)} of {len(prompts)} prompts run into the completion ({glued[0]!r}). Use chat: true, or "
            'prompt_template: "{prompt}\\n"'
        )
    return found
