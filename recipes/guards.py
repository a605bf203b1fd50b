"""What is checked before and while a recipe trains: lengths, ends, boundaries, balance of classes, log-probs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from data import Rows
from datasets import Dataset
from measure import Measured, Sizes, check_tokenizer, measure
from transformers import PreTrainedTokenizerBase, TrainerCallback

from codepref.errors import CodeprefError


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


def balance(
    name: str, labels: Sequence[bool], desirable: float, undesirable: float, dropped: int = 0
) -> tuple[float, float]:
    """KTO's class weights: those given, or, when both are 1, such that both classes weigh the same.

    Args:
        name: The dataset's, for messages.
        labels: Of the rows that are trained on.
        desirable: Weight that was asked for.
        undesirable: The same.
        dropped: Rows that had no room in max_length, for the message.

    Raises:
        CodeprefError: only one class is there.
    """
    good = sum(labels)
    bad = len(labels) - good
    if not good or not bad:
        why = f" ({dropped} had no room in max_length; raise it)" if dropped else "; give rows of both labels"
        raise CodeprefError(f"{name}: KTO needs desirable and undesirable rows; there are {good} and {bad}{why}")
    if desirable != 1.0 or undesirable != 1.0 or good == bad:
        return desirable, undesirable
    return (round(bad / good, 4), 1.0) if good < bad else (1.0, round(good / bad, 4))


@dataclass(frozen=True)
class Fitting:
    """The rows that something can be learnt from, and what is told of all."""

    rows: Dataset
    lengths: dict[str, Any]
    """How many tokens the kept rows have, how many rows `max_length` drops and cuts."""
    warnings: list[str]
    counted: float
    """Mean tokens of the good answer that are trained on."""
    sizes: Sizes
    """Of the kept rows."""

    def checks(self, report: dict[str, Any]) -> dict[str, Any]:
        """What stands in the manifest, with what reading the rows has counted."""
        named = ("read", "left out", "filtered", "alike", "labelled bad")
        stored = {**{name: report[name] for name in named if report[name]}, **report["notes"]}
        warnings = [*_told(report), *self.warnings]
        return {"lengths": self.lengths, "rows as stored": stored, "warnings": warnings}


@dataclass(frozen=True)
class Reading:
    """How a training reads rows."""

    tokenizer: PreTrainedTokenizerBase
    """The model's."""
    vocabulary: int
    """Rows of the model's embedding."""
    max_length: int | None
    """Tokens of prompt and answer that are trained on."""
    drops: bool = True
    """The trainer cuts rows at their end; else (SFT in parts, `keep_end`) none is without room."""


def fitting(name: str, dataset: Dataset, sides: Sequence[str], reading: Reading) -> Fitting:
    """Leaves out what can not teach: no room for an answer, or answers that differ only where nothing is trained.

    Args:
        name: The dataset's, for messages.
        dataset: Rows `prompt`, the sides, and `place`.
        sides: Columns of answers, the good one first.
        reading: How the training reads them.

    Raises:
        CodeprefError: nothing is left, answers do not end, or model and rows do not go together.
    """
    given, messages = len(dataset), isinstance(dataset[0]["prompt"], list)
    tokenizer, max_length = reading.tokenizer, reading.max_length
    warnings = check_tokenizer(tokenizer, messages, reading.vocabulary)
    limit = max_length if reading.drops else None
    found = measure(dataset, sides, tokenizer, limit, reading.vocabulary)
    room = found.prompts < limit if limit else np.ones(given, bool)
    if not room.any():
        raise CodeprefError(f"{name}: all {given} prompts are longer than max_length {max_length}; raise it")
    kept = room & ~found.alike
    same = int((room & found.alike).sum())
    if not kept.any():
        where = f"within max_length {max_length}" if limit else "as tokens"
        raise CodeprefError(
            f"{name}: chosen and rejected are the same {where} in all {same} pairs that have room, so nothing can be "
            "learnt; raise max_length, or give pairs that differ"
        )
    _check_ends(name, found, given, tokenizer)
    if same:
        warnings.append(f"{same} of {given} pairs are left out: the answers are alike within max_length {max_length}")
    whole = (found.prompts + found.answers.max(1))[kept]
    counted = found.answers[:, 0][kept]
    if limit:
        counted = np.minimum(counted, limit - found.prompts[kept])
    report = lengths(whole, given, max_length)
    rows = dataset if kept.all() else dataset.select(np.flatnonzero(kept))
    warnings += boundary(found, given, messages)
    sizes = found.sizes(kept, max_length)
    return Fitting(rows.remove_columns("place"), report, warnings, float(counted.mean()), sizes)


def both(rows: Rows, sides: Sequence[str], reading: Reading) -> tuple[Fitting, Dataset | None]:
    """`fitting` of the rows to train on and of those held out; of the latter only the rows are of interest."""
    train = fitting(rows.name, rows.train, sides, reading)
    held = rows.held and fitting(f"{rows.name}, held out", rows.held, sides, reading).rows
    return train, held


def lengths(whole: np.ndarray, given: int, max_length: int | None) -> dict[str, Any]:
    """How many tokens the rows have (`whole`: those that are kept), and how many rows `max_length` drops and cuts."""
    median, high, top = np.percentile(whole, [50, 95, 100]).astype(int).tolist()
    return {
        "rows": given,
        "kept": len(whole),
        "dropped": given - len(whole),
        "cut": int((whole > max_length).sum()) if max_length else 0,
        "max_length": max_length,
        "tokens": {"median": median, "95 %": high, "longest": top},
    }


def _check_ends(name: str, found: Measured, given: int, tokenizer: PreTrainedTokenizerBase) -> None:
    """Raises CodeprefError when answers do not end with the token that ends an answer: such a model never stops."""
    if found.counts["endless"]:
        raise CodeprefError(
            f"{name}: {found.counts['endless']} of {given} rows have answers that do not end with "
            f"{tokenizer.eos_token!r} (first: {found.first['endless']}): a model trained on them does not "
            "stop. Set the tokenizer's eos_token to the token that ends a turn in its chat template"
        )


def boundary(found: Measured, given: int, messages: bool) -> list[str]:
    """Warnings about prompts that do not end where their tokens end, run into the answer, or begin wrongly."""
    counts, first, warnings = found.counts, found.first, []
    if counts["tail"] and messages:
        warnings.append(
            f"{counts['tail']} of {given} prompts end otherwise in training: what the chat template puts before an "
            f"answer ({first['tail']!r}) it does not put there in a finished conversation, so the model is trained "
            "without and asked with it. Take a template that writes both alike"
        )
    elif counts["tail"]:
        warnings.append(
            f"{counts['tail']} of {given} prompts end inside a token: their tail ({first['tail']!r}) merges with the "
            "completion, so training and generation see different tokens. Use chat: true, or a prompt_template that "
            "ends on a token"
        )
    if counts["glued"]:
        warnings.append(
            f"{counts['glued']} of {given} prompts run into the completion ({first['glued']!r}). Use chat: true, or "
            'prompt_template: "{prompt}\\n"'
        )
    if counts["twice"]:
        warnings.append(
            f"{counts['twice']} of {given} rows begin with two tokens of beginning: one is in the prompt or its "
            "template, one is the tokenizer's. Take it out of prompt_template or the chat template"
        )
    if counts["bare"]:
        warnings.append(
            f"{counts['bare']} of {given} rows begin without the token of beginning that the tokenizer puts before "
            "plain text: the chat template does not write it. Take the template that belongs to the model"
        )
    return warnings


def _told(report: dict[str, Any]) -> list[str]:
    """What was left out while the rows were read."""
    found = [f"{count} {note}" for note, count in report["notes"].items()]
    if report["left out"]:
        reasons = "; ".join(report["reasons"])
        found.append(f"{report['left out']} of {report['read']} rows are left out (--skip-bad): {reasons}")
    if report["filtered"]:
        found.append(
            f"{report['filtered']} of {report['read']} rows are left out: their prompt's entropy or crash rate"
        )
    if report["alike"]:
        found.append(f"{report['alike']} of {report['read']} pairs are left out: chosen and rejected are the same")
    return found


def whole_batches(dataset: Dataset, size: int) -> Dataset:
    """KTO's rows without a last batch of one: its KL term compares a row with its neighbour, which is then itself.

    The row that goes is the last one of the larger class.

    Raises:
        CodeprefError: there is one row in all.
    """
    if len(dataset) % size != 1:
        return dataset
    if len(dataset) == 1:
        raise CodeprefError("KTO compares the rows of a batch, and there is one row; give more")
    labels = list(dataset["label"])
    larger = sum(labels) * 2 >= len(labels)
    out = max(i for i, label in enumerate(labels) if label is larger)
    return dataset.select([i for i in range(len(labels)) if i != out])
