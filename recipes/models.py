"""The model a recipe starts from, looked at before its weights are loaded: where it is, its tokenizer, its modules."""

import difflib
import re
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from huggingface_hub import ModelCard, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError
from source import is_path, no_folder
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase
from trl import ModelConfig, get_peft_config

from codepref import reach
from codepref.errors import CodeprefError

ALL_LINEAR = "all-linear"
SHOWN = 12
"""Names of modules that a refusal lists."""


def located(name: str) -> bool:
    """Whether a model is a folder of this machine; else it is the name of one on the Hub.

    Raises:
        CodeprefError: it was meant as a folder, and there is none. Such a name is never looked up on the Hub, where it
            may be a stranger's.
    """
    if Path(name).is_dir():
        return True
    if "/" in name and is_path(name):  # the oldest models of the Hub have no owner: gpt2
        raise CodeprefError(f"{name}: {no_folder(name)}; give a Hub id or a folder with a model")
    return False


def skeleton(name: str, revision: str | None) -> torch.nn.Module:
    """The model without its weights: shapes and names only.

    Raises:
        CodeprefError: there is no such model, or none that these libraries know.
    """
    located(name)
    try:
        with reach.quick_to_fail(name):
            config = AutoConfig.from_pretrained(name, revision=revision)
        with init_empty_weights():
            model = AutoModelForCausalLM.from_config(config)
    except (OSError, ValueError) as error:
        said = str(error).partition("\n")[0]
        raise CodeprefError(f"{name}: {said}; give a Hub id or a folder with a model") from None
    model.tie_weights()
    return model


def vocabulary(model: torch.nn.Module) -> int:
    """How many tokens have an embedding."""
    return int(model.get_input_embeddings().num_embeddings)  # type: ignore[operator, union-attr]


def tokenizer(model_args: ModelConfig) -> PreTrainedTokenizerBase:
    """The model's tokenizer.

    Raises:
        CodeprefError: it has none.
    """
    name = model_args.model_name_or_path
    try:
        with reach.quick_to_fail(name):
            return AutoTokenizer.from_pretrained(name, revision=model_args.model_revision)
    except (OSError, ValueError, KeyError, TypeError) as error:
        said = str(error).partition("\n")[0]
        raise CodeprefError(f"{name}: no tokenizer ({said}); put the model's tokenizer files into its folder") from None


def adapter(model_args: ModelConfig, model: torch.nn.Module) -> Any:
    """PEFT's configuration, its modules found in the model; None without an adapter.

    TRL hands on a list of one name as a text, which PEFT reads as a pattern for whole paths.

    Raises:
        CodeprefError: a name that no module of the model has.
    """
    config = get_peft_config(model_args)
    if config is None:
        return None
    targets = config.target_modules
    if isinstance(targets, str) and targets != ALL_LINEAR and re.fullmatch(r"[\w.]+", targets):
        config.target_modules = targets = [targets]
    names = [name for name, _ in model.named_modules() if name]
    if isinstance(targets, str) and targets != ALL_LINEAR:
        _check_pattern(targets, names)
    elif targets and targets != ALL_LINEAR:
        _check_names("lora_target_modules", targets, names)
    _check_names("lora_modules_to_save", config.modules_to_save or (), names)
    return config


def _check_pattern(pattern: str, names: list[str]) -> None:
    try:
        found = any(re.fullmatch(pattern, name) for name in names)
    except re.error as error:
        raise CodeprefError(
            f"lora_target_modules: {pattern!r} is no pattern ({error}); give names of modules"
        ) from None
    if not found:
        raise CodeprefError(f"lora_target_modules: no module matches {pattern!r}; this model has {_known(names)}")


def _check_names(key: str, wanted: Any, names: list[str]) -> None:
    for name in sorted(wanted):
        if not any(path == name or path.endswith(f".{name}") for path in names):
            ends = {path.rpartition(".")[2] for path in names}
            near = difflib.get_close_matches(name, ends, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise CodeprefError(f"{key}: no module is called {name!r}{hint}; this model has {_known(names)}")


def _known(names: list[str]) -> str:
    ends = sorted({path.rpartition(".")[2] for path in names if not path.rpartition(".")[2].isdigit()})
    return ", ".join(ends[:SHOWN]) + (", ..." if len(ends) > SHOWN else "")


def commit(name: str, revision: str) -> str:
    """The commit that a branch or tag of a model on the Hub stands for."""
    return Path(hf_hub_download(name, "config.json", revision=revision)).parent.name


def licence(name: str, revision: str) -> tuple[str | None, str | None]:
    """`license` and `license_name` of a model's card on the Hub, if it states them and can be read from here."""
    try:
        data = ModelCard.load(hf_hub_download(name, "README.md", revision=revision)).data
    except (HfHubHTTPError, OSError, ValueError):
        return None, None
    found = data.license if isinstance(data.license, str) else None
    return found, data.get("license_name")
