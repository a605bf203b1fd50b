"""What a recipe is told: its keys beside TRL's, read from `--config FILE` and flags."""

import dataclasses
import difflib
import os
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, get_args, get_type_hints

import data
import yaml
from packing import PAIRS, ROWS
from signals import OrderArguments, SignalArguments
from trl import ModelConfig, TrlParser

from codepref.errors import CodeprefError

Settings = tuple[Any, Any, ModelConfig]
"""What a recipe is told: its own keys and the dataset's, the trainer's, the model's."""
NULLS = {"null", "Null", "NULL", "~"}
"""How YAML writes nothing; `--prompt_template null` takes back what the file says."""


@dataclass
class PreferenceArguments(SignalArguments, data.DataArguments):
    """What the preference recipes know beside the dataset."""

    chosen_guard: str = field(
        default="stop",
        metadata={
            "help": "What to do when chosen code loses more than chosen_drop against the reference.",
            "choices": ["stop", "warn", "off"],
        },
    )
    chosen_drop: float = field(default=0.5, metadata={"help": "Limit of chosen_guard, in nats per token."})
    packing: str = field(
        default="none",
        metadata={"help": "rows: no padding is computed; the loss is the same.", "choices": list(ROWS)},
    )


@dataclass
class PairArguments(OrderArguments, PreferenceArguments):
    """What the recipes for pairs know beside that."""

    alpha: float = field(
        default=1.0,
        metadata={"help": "Weight of the NLL term on the chosen code (token mean over the micro-batch); 0: none."},
    )
    packing: str = field(
        default="none",
        metadata={
            "help": "rows (or pairs): no padding is computed. prefix: nor what both sides begin with computed twice. "
            "The loss is the same.",
            "choices": list(PAIRS),
        },
    )
    max_tokens_per_batch: int | None = field(
        default=None,
        metadata={
            "help": "With packing: tokens of one pass. A batch of per_device_train_batch_size pairs is taken in as "
            "many passes as it needs, and counts as before."
        },
    )


def add_nll(training_args: Any, alpha: float) -> None:
    """Adds the NLL term to the losses, unless the configuration lists it itself."""
    if alpha and "sft" not in training_args.loss_type:
        training_args.loss_weights = [*(training_args.loss_weights or [1.0] * len(training_args.loss_type)), alpha]
        training_args.loss_type = [*training_args.loss_type, "sft"]


def parse(arguments: type, config: type, argv: Sequence[str] | None) -> Settings:
    """Reads `--config FILE` and flags; flags win, and a flag of `null` takes back what the file says.

    Raises:
        CodeprefError: unreadable file, unknown key (the nearest known one is named), a wrong value, no model, no
            dataset, or keys that say nothing together.
    """
    kinds = (arguments, config, ModelConfig)
    known = {item.name: hint for kind in kinds for item, hint in _fields(kind)}
    path, words = _take_config(list(sys.argv[1:] if argv is None else argv))
    where = path or "command line"
    values = _read(path) if path else {}
    words, unset = _take_nulls(words)
    flags = [word.lstrip("-").partition("=")[0].replace("-", "_") for word in words if word.startswith("--")]
    for key in [*values, *unset, *flags]:
        _check_known(where if key in values else "command line", str(key), known)
    values |= dict.fromkeys(unset)
    # null is a value where a key may be empty; elsewhere it is the default
    values = {key: value for key, value in values.items() if value is not None or _may_be_empty(known.get(key))}
    for name, value in (values.pop("env", None) or {}).items():
        os.environ[name] = str(value)
    try:
        parser = TrlParser(kinds)
        parser.error = _refuse  # type: ignore[method-assign]
        parser.set_defaults_with_config(**values)
        script_args, training_args, model_args = parser.parse_args_into_dataclasses(args=words)
    except (ValueError, TypeError) as error:
        raise CodeprefError(f"{where}: {' '.join(str(error).split())}") from None
    if not model_args.model_name_or_path:
        raise CodeprefError(f"{where}: model_name_or_path is missing; give a Hub id or a folder")
    for item in dataclasses.fields(script_args):
        choices = item.metadata.get("choices")
        if choices and getattr(script_args, item.name) not in choices:  # argparse checks flags, not values of a file
            raise CodeprefError(
                f"{where}: {item.name}: {getattr(script_args, item.name)!r}; give {' or '.join(choices)}"
            )
    data.check(script_args)
    _check_evaluation(script_args, training_args)
    return script_args, training_args, model_args


def _check_evaluation(script_args: data.DataArguments, training_args: Any) -> None:
    if script_args.eval_fraction and training_args.eval_strategy == "no":
        raise CodeprefError("eval_fraction: rows are held out but never used; set eval_strategy: steps or epoch")
    if not script_args.eval_fraction and training_args.eval_strategy != "no":
        raise CodeprefError("eval_strategy: nothing to evaluate on; set eval_fraction, such as 0.05")


def _refuse(message: str) -> NoReturn:
    """In place of argparse's way, which prints every flag there is."""
    raise ValueError(message)


def _fields(kind: type) -> list[tuple[Any, Any]]:
    hints = get_type_hints(kind)
    return [(item, hints[item.name]) for item in dataclasses.fields(kind)]


def _may_be_empty(hint: Any) -> bool:
    return type(None) in get_args(hint)


def _take_config(words: list[str]) -> tuple[str | None, list[str]]:
    """The file of `--config`, and the other words."""
    if "--config" not in words:
        return None, words
    at = words.index("--config")
    if at + 1 == len(words):
        raise CodeprefError("--config: give a YAML file")
    return words[at + 1], words[:at] + words[at + 2 :]


def _take_nulls(words: list[str]) -> tuple[list[str], list[str]]:
    """The words without `--key null` and `--key=null`, and those keys."""
    kept: list[str] = []
    unset: list[str] = []
    for word in words:
        name, _, value = word.partition("=")
        if word in NULLS and kept and kept[-1].startswith("--") and "=" not in kept[-1]:
            unset.append(kept.pop().removeprefix("--").replace("-", "_"))
        elif name.startswith("--") and value in NULLS:
            unset.append(name.removeprefix("--").replace("-", "_"))
        else:
            kept.append(word)
    return kept, unset


def _read(path: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise CodeprefError(f"{path}: {' '.join(str(error).split())}; give --config a YAML file") from None
    if not isinstance(values, dict):
        raise CodeprefError(f"{path}: expected 'key: value' lines")
    return values


def _check_known(where: str, key: str, known: Collection[str]) -> None:
    if key in known or key == "env" or key.removeprefix("no_") in known:
        return
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    raise CodeprefError(f"{where}: unknown key '{key}'" + (f"; did you mean '{near[0]}'?" if near else ""))
