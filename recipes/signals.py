"""What rows say about their own labels, and what a training makes of it: which rows are kept, and in which order.

Every pair of CodeDPO has a `confidence`. The other columns are those of a build with `training_columns: true`
(docs/formats.md): `semantic_entropy`, `crash_rate`, `chosen_consensus`, `rejected_error_type`. Rows of others may bring
columns of the same names.
"""

import math
import reprlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from datasets import Dataset
from rows import BadRow, Row
from trl import KTOConfig

from codepref.errors import CodeprefError

CONFIDENCE, ENTROPY, CRASHES, ERROR = "confidence", "semantic_entropy", "crash_rate", "rejected_error_type"
SIMPLE_LOSSES = {"sigmoid", "sft"}
"""Losses that a confidence is defined for."""


@dataclass
class SignalArguments:
    """How a preference recipe listens to its rows; by default it does not."""

    label_confidence: str = field(
        default="none",
        metadata={
            "help": "weights: a row's loss counts by its confidence. soft (pairs): the label is right with a "
            "probability, p = (1 + confidence) / 2, and L = -p log s(x) - (1 - p) log s(-x).",
            "choices": ["none", "weights", "soft"],
        },
    )
    confidence_column: str = field(
        default=CONFIDENCE,
        metadata={"help": "Column of label_confidence, 0 to 1; chosen_consensus with weights is Con-DPO's loss."},
    )
    max_entropy: float | None = field(
        default=None,
        metadata={
            "help": "Keep rows of prompts whose semantic entropy is above 0 and below this, in bits (Con-DPO: 0.3)."
        },
    )
    max_crash_rate: float = field(
        default=0.8, metadata={"help": "With max_entropy: keep rows whose prompt's codes crash less often than this."}
    )


@dataclass
class OrderArguments(SignalArguments):
    """What the recipes for pairs know beside that."""

    error_order: str = field(
        default="none",
        metadata={
            "help": "Train on one kind of rejected code's error after the other (AP2O, arXiv 2510.02393): rare_first "
            "for weak models, frequent_first for strong ones.",
            "choices": ["none", "rare_first", "frequent_first"],
        },
    )


def check(settings: SignalArguments, training_args: Any) -> None:
    """Refuses what a confidence is not defined for, and has rows read in their order where that is what counts.

    Raises:
        CodeprefError: soft labels without pairs, another loss, limits that nothing can keep to, two orders at once, a
            key that does nothing without another one.
    """
    if settings.max_entropy is not None and not settings.max_entropy > 0:
        raise CodeprefError(f"max_entropy: {settings.max_entropy} leaves no row; give bits above 0, such as 0.3")
    if not 0 < settings.max_crash_rate <= 1:
        raise CodeprefError(f"max_crash_rate: {settings.max_crash_rate}; give a share above 0, at most 1")
    if settings.max_entropy is None and settings.max_crash_rate != SignalArguments.max_crash_rate:
        raise CodeprefError("max_crash_rate: does nothing by itself; set max_entropy too, such as 0.3")
    if settings.label_confidence == "none" and settings.confidence_column != CONFIDENCE:
        raise CodeprefError("confidence_column: does nothing by itself; set label_confidence to weights or soft too")
    if settings.label_confidence != "none":
        _check_loss(settings.label_confidence, training_args)
    if _has_order(settings):
        if training_args.train_sampling_strategy == "group_by_length":
            raise CodeprefError("error_order and train_sampling_strategy: give one of them; each is an order of rows")
        training_args.train_sampling_strategy = "sequential"


def _check_loss(how: str, training_args: Any) -> None:
    if isinstance(training_args, KTOConfig):
        if how == "soft":
            raise CodeprefError("label_confidence: KTO has no pair whose label could be soft; give weights")
        return
    others = set(training_args.loss_type) - SIMPLE_LOSSES
    if training_args.f_divergence_type != "reverse_kl":
        others.add("f_divergence_type")
    others |= {name for name in ("ld_alpha", "use_weighting") if getattr(training_args, name)}
    if others or "sigmoid" not in training_args.loss_type:
        what = ", ".join(sorted(others)) or "no sigmoid loss"
        raise CodeprefError(f"label_confidence: {what}: only defined for loss_type sigmoid, with or without sft")


def columns(settings: Any) -> dict[str, str]:
    """Columns that are looked at besides those that are trained on: what is wanted -> name in the dataset."""
    wanted: dict[str, str] = {}
    if not isinstance(settings, SignalArguments):  # SFT
        return wanted
    if settings.label_confidence != "none":
        wanted[CONFIDENCE] = settings.confidence_column
    if settings.max_entropy is not None:
        wanted |= {ENTROPY: ENTROPY, CRASHES: CRASHES}
    if _has_order(settings):
        wanted[ERROR] = ERROR
    return wanted


def _has_order(settings: Any) -> bool:
    return isinstance(settings, OrderArguments) and settings.error_order != "none"


def read(row: Mapping[str, Any], settings: Any) -> Row | None:
    """The row's confidence and kind of error, as far as they are wanted; None if the row is not to be trained on.

    Raises:
        BadRow: a wanted column is missing, or its value is none.
    """
    found: Row = {}
    for wanted, name in columns(settings).items():
        if name not in row:
            raise BadRow(f"no column {name}; {_where(name)}")
        found[wanted] = _text(row[name], name) if wanted == ERROR else _number(row[name], name, wanted)
    entropy, crashes = found.pop(ENTROPY, None), found.pop(CRASHES, None)
    if entropy is not None and not (0 < entropy < settings.max_entropy and crashes < settings.max_crash_rate):
        return None
    return found


def _where(name: str) -> str:
    """Where such a column comes from."""
    if name == CONFIDENCE:
        return "give a dataset of CodeDPO, or name another column with confidence_column"
    if name in (ENTROPY, CRASHES, ERROR, "chosen_consensus"):
        return "build it with training_columns: true (codedpo)"
    return "confidence_column names it; give a column of numbers from 0 to 1"


def _number(value: Any, name: str, wanted: str) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or value < 0 or (wanted != ENTROPY and value > 1):
        limits = "0 or more" if wanted == ENTROPY else "0 to 1"
        raise BadRow(f"{name} is {reprlib.repr(value)}; give a number, {limits}")
    return float(value)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise BadRow(f"{name} is {reprlib.repr(value)}; give the name of an error")
    return value


def ordered(dataset: Dataset, settings: Any, seed: int) -> Dataset:
    """The rows by how often their rejected code's error occurs among them, rows of one error in a random order."""
    if not _has_order(settings):
        return dataset
    errors = dataset[ERROR][:]
    counts = Counter(errors)
    direction = 1 if settings.error_order == "rare_first" else -1
    lots = np.random.default_rng(seed).permutation(len(errors)).tolist()
    order = sorted(range(len(errors)), key=lambda i: (direction * counts[errors[i]], errors[i], lots[i]))
    return dataset.select(order)


def checks(settings: SignalArguments, dataset: Dataset) -> dict[str, Any]:
    """What the manifest says of the rows' signals: the confidences' mean and range, the errors in their order.

    Raises:
        CodeprefError: rows are weighed, and each by 0.
    """
    found: dict[str, Any] = {}
    if settings.label_confidence != "none":
        values = np.array(dataset[CONFIDENCE][:])
        if settings.label_confidence == "weights" and not values.any():
            raise CodeprefError(
                f"label_confidence: {settings.confidence_column} is 0 in all {len(values)} rows, so nothing would be "
                "learnt; leave it out, or name another confidence_column"
            )
        numbers = {"mean": values.mean(), "lowest": values.min(), "highest": values.max()}
        found["label confidence"] = {name: round(float(value), 4) for name, value in numbers.items()}
    if _has_order(settings):
        found["errors in order"] = dict(Counter(dataset[ERROR][:]))  # keeps the order of first appearance
    return found
