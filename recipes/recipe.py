"""One run, start to end: read the configuration, say what it needs, train, check, save with card and manifest."""

import dataclasses
import difflib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers
import yaml
from data import DataArguments, lineage
from guards import ChosenGuard
from huggingface_hub import ModelCard, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError
from memory import estimate, skeleton
from transformers import AutoTokenizer, PreTrainedTokenizerBase, Trainer
from transformers.trainer_utils import get_last_checkpoint
from trl import ModelConfig, TrlParser, get_peft_config, get_quantization_config

from codepref.errors import CodeprefError
from codepref.publish import plot
from codepref.publish.dataset import versions
from codepref.publish.modelcard import CURVE, model_card

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "bitsandbytes", "datasets")
ELSEWHERE = {"dataset_name", "model_name_or_path", "model_revision", "model_init_kwargs"}
MACHINE = {"output_dir", "hub_token", "hub_model_id", "resume_from_checkpoint", "report_to", "project", "run_name"}
NOISE = {"debug", "disable_tqdm", "dataloader_pin_memory", "pad_to_multiple_of", "logging_steps", "use_cpu"}
TOLD = ("learning_rate", "lr_scheduler_type", "warmup_steps", "num_train_epochs", "max_length", "beta", "optim", "seed")
"""Keys of the trainer that the card shows whether or not they have their default."""
USER_ERROR = 2
POINTS = 200


@dataclass(frozen=True)
class Method:
    """What the model's card says about a recipe."""

    name: str
    summary: str
    citation: str = ""
    """BibTeX of the paper, if there is one."""


@dataclass
class PreferenceArguments(DataArguments):
    """What the preference recipes know beside the dataset."""

    chosen_guard: str = field(
        default="stop",
        metadata={
            "help": "What to do when chosen code loses more than chosen_drop against the reference.",
            "choices": ["stop", "warn", "off"],
        },
    )
    chosen_drop: float = field(default=0.5, metadata={"help": "Limit of chosen_guard, in nats per token."})


@dataclass
class PairArguments(PreferenceArguments):
    """What the recipes for pairs know beside that."""

    alpha: float = field(
        default=1.0,
        metadata={"help": "Weight of the NLL term on the chosen code (token mean over the micro-batch); 0: none."},
    )


def add_nll(training: Any, alpha: float) -> None:
    """Adds the NLL term to the losses, unless the configuration lists it itself."""
    if alpha and "sft" not in training.loss_type:
        training.loss_weights = [*(training.loss_weights or [1.0] * len(training.loss_type)), alpha]
        training.loss_type = [*training.loss_type, "sft"]


def parse(arguments: type, config: type, argv: Sequence[str] | None) -> tuple[Any, Any, ModelConfig]:
    """Reads `--config FILE` and flags; flags win.

    Raises:
        CodeprefError: unreadable file, unknown key (the nearest known one is named) or no model.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    kinds = (arguments, config, ModelConfig)
    where = words[words.index("--config") + 1] if "--config" in words[:-1] else "command line"
    known = {item.name for kind in kinds for item in dataclasses.fields(kind)}
    if where != "command line":
        _refuse_unknown(where, known)
    try:
        parsed = TrlParser(kinds).parse_args_and_config(words)
    except (ValueError, TypeError) as error:
        raise CodeprefError(f"{where}: {' '.join(str(error).split())}") from None
    script, training, model = parsed
    if not model.model_name_or_path:
        raise CodeprefError(f"{where}: model_name_or_path is missing; give a Hub id or a folder")
    for item in dataclasses.fields(script):
        choices = item.metadata.get("choices")
        if choices and getattr(script, item.name) not in choices:  # argparse checks flags, not values of a file
            raise CodeprefError(f"{where}: {item.name}: {getattr(script, item.name)!r}; give {' or '.join(choices)}")
    return script, training, model


def _refuse_unknown(path: str, known: set[str]) -> None:
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise CodeprefError(f"{path}: {' '.join(str(error).split())}; give --config a YAML file") from None
    if not isinstance(values, dict):
        raise CodeprefError(f"{path}: expected 'key: value' lines")
    for key in values:
        if key not in known | {"env"}:
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.6)
            raise CodeprefError(f"{path}: unknown key '{key}'" + (f"; did you mean '{near[0]}'?" if near else ""))


def announce(wanted: ModelConfig, training: Any, rows: int, preference: bool = True) -> None:
    """Prints the memory estimate, and a warning when the GPU has less; the weights are not loaded yet."""
    if training.process_index != 0:
        return
    try:
        model = skeleton(wanted.model_name_or_path, wanted.model_revision)
    except (OSError, ValueError) as error:
        said = str(error).partition("\n")[0]
        raise CodeprefError(f"{wanted.model_name_or_path}: {said}; give a Hub id or a folder with a model") from None
    second = preference and not wanted.use_peft and not training.precompute_ref_log_probs
    guess = estimate(model, wanted, training, rows, reference=second)
    print(guess.line())
    if torch.cuda.is_available() and not training.use_cpu:
        free = torch.cuda.mem_get_info()[0] / 1e9
        if guess.total > free:
            print(
                f"warning: this GPU has {free:.1f} GB free. Lower per_device_train_batch_size (and raise "
                "gradient_accumulation_steps) or max_length, set load_in_4bit, or shard with accelerate/fsdp2.yaml"
            )


def tokenizer(wanted: ModelConfig) -> PreTrainedTokenizerBase:
    """The model's tokenizer."""
    try:
        return AutoTokenizer.from_pretrained(wanted.model_name_or_path, revision=wanted.model_revision)
    except (OSError, ValueError) as error:
        said = str(error).partition("\n")[0]
        raise CodeprefError(f"{wanted.model_name_or_path}: no tokenizer ({said})") from None


def parts(script: DataArguments, training: Any, wanted: ModelConfig) -> dict[str, Any]:
    """The arguments every trainer takes: model by name, configuration, quantisation, adapter."""
    training.model_init_kwargs = {
        "revision": wanted.model_revision,
        "attn_implementation": wanted.attn_implementation,
        "dtype": wanted.dtype,
        **(training.model_init_kwargs or {}),
    }
    if script.eval_fraction and training.eval_strategy == "no":
        raise CodeprefError("eval_fraction: rows are held out but never used; set eval_strategy: steps or epoch")
    if not script.eval_fraction and training.eval_strategy != "no":
        raise CodeprefError("eval_strategy: nothing to evaluate on; set eval_fraction, such as 0.05")
    return {
        "model": wanted.model_name_or_path,
        "args": training,
        "quantization_config": get_quantization_config(wanted),
        "peft_config": get_peft_config(wanted),
    }


def own_card(kind: type[Trainer]) -> type[Trainer]:
    """The trainer, with our card in place of its own wherever it would write one."""

    class Carded(kind):  # type: ignore[valid-type, misc]
        manifest: dict[str, Any] | None = None

        def create_model_card(self, *_: Any, **__: Any) -> None:
            """Writes README.md and manifest.json into the output folder: at each checkpoint and at the end."""
            if self.manifest is not None and self.is_world_process_zero():
                reached = {"steps": self.state.global_step, "curve": curve(self.state.log_history)}
                self.manifest["result"] = {**self.manifest.get("result", {}), **reached}
                write(Path(self.args.output_dir), self.manifest)

    Carded.__name__ = kind.__name__
    return Carded


def curve(log: Sequence[dict[str, float]]) -> dict[str, list[tuple[float, float]]]:
    """Logged points (step, value) of what the card plots, at most about `POINTS` each."""
    found = {
        name: [(float(entry["step"]), float(entry[key])) for entry in log if key in entry]
        for name, key in (("loss", "loss"), ("held-out loss", "eval_loss"), ("reward margin", "rewards/margins"))
    }
    return {name: points[:: max(1, len(points) // POINTS)] for name, points in found.items() if points}


def write(folder: Path, manifest: dict[str, Any]) -> None:
    """Puts manifest, training curve and card into the folder of a model."""
    folder.mkdir(parents=True, exist_ok=True)
    if manifest["result"].get("curve"):
        axes = ("optimiser step", "loss, reward margin")
        plot.line_plot(folder / CURVE, "Training", axes, manifest["result"]["curve"])
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    (folder / "README.md").write_text(model_card(manifest), encoding="utf-8")


def describe(method: Method, script: Any, training: Any, wanted: ModelConfig, trainer: Trainer) -> dict[str, Any]:
    """The run's manifest: what was trained on what, with which settings and versions."""
    name = wanted.model_name_or_path
    local = Path(name).exists()
    return {
        "method": method.name,
        "summary": method.summary,
        "citation": method.citation,
        "base": {
            "name": Path(name).resolve().name if local else name,
            "local": local,
            "revision": None if local else _commit(name, wanted.model_revision),
            "licence": None if local else _licence(name, wanted.model_revision),
            "load_in_4bit": wanted.load_in_4bit,
            "dtype": wanted.dtype,
        },
        "adapter": wanted.use_peft,
        "dataset": lineage(script),
        "config": {**_told(training), **_changed(script), **_changed(training), **_changed(wanted)},
        "versions": {**versions(), **{name: _version(name) for name in LIBRARIES}},
        "hardware": {
            "device": torch.cuda.get_device_name() if trainer.args.device.type == "cuda" else trainer.args.device.type,
            "processes": trainer.args.world_size,
        },
    }


def _commit(name: str, revision: str) -> str:
    """The commit that a branch or tag of a model on the Hub stands for."""
    return Path(hf_hub_download(name, "config.json", revision=revision)).parent.name


def _licence(name: str, revision: str) -> str | None:
    """The licence that a model's card on the Hub states, if it states one that can be read from here."""
    try:
        card = ModelCard.load(hf_hub_download(name, "README.md", revision=revision))
    except (HfHubHTTPError, OSError, ValueError):
        return None
    return card.data.license if isinstance(card.data.license, str) else None


def _version(library: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(library)
    except PackageNotFoundError:
        return "absent"


def _changed(arguments: Any) -> dict[str, Any]:
    """Keys that differ from their default, without those that stand elsewhere or speak of the machine."""
    found = {}
    for item in dataclasses.fields(arguments):
        if item.name in ELSEWHERE | MACHINE | NOISE:
            continue
        value = getattr(arguments, item.name)
        default = item.default if item.default_factory is dataclasses.MISSING else item.default_factory()
        if value != default and isinstance(value, str | int | float | bool | list):
            found[item.name] = value
    return found


def _told(training: Any) -> dict[str, Any]:
    values = {name: getattr(training, name) for name in TOLD if hasattr(training, name)}
    return {name: getattr(value, "value", value) for name, value in values.items()}  # enumerations by their value


def run(trainer: Trainer, manifest: dict[str, Any], guard: ChosenGuard | None = None) -> Trainer:
    """Trains (or goes on from a checkpoint), saves adapter or model with card and manifest, pushes when asked.

    Raises:
        CodeprefError: the guard stopped the run (what was trained is saved), or there is no checkpoint to resume.
    """
    args = trainer.args
    if trainer.is_world_process_zero():
        for key, value in manifest["checks"].items():
            print(f"{key}: {value}")
    if guard is not None:
        # before the trackers, so that they see what it adds
        trainer.callback_handler.callbacks.insert(0, guard)
    widen(trainer)
    group(trainer)
    trainer.manifest = manifest
    trainer.train(resume_from_checkpoint=_checkpoint(args))
    if guard is not None and guard.stopped:
        manifest["result"] = {"guard": guard.stopped}
    for adapter in getattr(trainer.model, "peft_config", {}).values():
        adapter.revision = manifest["base"]["revision"]
        if isinstance(adapter.target_modules, set):  # its order would differ from run to run
            adapter.target_modules = sorted(adapter.target_modules)
    trainer.save_model(args.output_dir)
    trainer.save_state()
    trainer.create_model_card()
    if guard is not None and guard.stopped and guard.action == "stop":
        trainer.end()
        raise CodeprefError(f"{guard.stopped}. What was trained is in {args.output_dir}")
    if args.push_to_hub:
        trainer.push_to_hub()
    trainer.end()
    if trainer.is_world_process_zero():
        print(f"saved: {args.output_dir}")
    return trainer


def widen(trainer: Trainer) -> None:
    """Keeps the adapter of a quantised model in fp32, where TRL has put it into bf16.

    bf16 has 8 bits of precision: a step of 5e-6 on a weight of 0.02 rounds to nothing. Arithmetic stays bf16 by
    autocast. Sharded training keeps its own copies.
    """
    if not (trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled):
        for parameter in trainer.model.parameters():
            if parameter.requires_grad and parameter.dtype == torch.bfloat16 and trainer.args.bf16:
                parameter.data = parameter.data.float()


def group(trainer: Trainer) -> None:
    """Gives `train_sampling_strategy: group_by_length` its lengths: a pair is as long as its longer side."""
    dataset = trainer.train_dataset
    if trainer.args.train_sampling_strategy != "group_by_length" or "chosen_ids" not in dataset.column_names:
        return
    columns = (dataset[name] for name in ("prompt_ids", "chosen_ids", "rejected_ids"))
    lengths = [len(prompt) + max(len(good), len(bad)) for prompt, good, bad in zip(*columns, strict=True)]
    trainer.train_dataset = dataset.add_column(trainer.args.length_column_name, lengths)
    trainer._set_signature_columns_if_needed()
    trainer._signature_columns.append(trainer.args.length_column_name)


def _checkpoint(args: Any) -> str | None:
    wanted = args.resume_from_checkpoint
    if wanted not in ("last", "true", "True"):
        return wanted
    found = get_last_checkpoint(args.output_dir) if Path(args.output_dir).is_dir() else None
    if found is None:
        raise CodeprefError(f"resume_from_checkpoint: no checkpoint in {args.output_dir}; leave it out to start anew")
    return found


def launched(main: Callable[[], Any]) -> None:
    """Runs a recipe as a program: what the user can mend is one line and exit code 2."""
    transformers.logging.set_verbosity_warning()
    try:
        main()
    except CodeprefError as error:
        print(f"{Path(sys.argv[0]).name}: error: {error}", file=sys.stderr)
        sys.exit(USER_ERROR)
