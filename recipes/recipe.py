"""One run, start to end: read the configuration, say what it needs, train, check, save with card and manifest."""

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import checkpoints
import models
import psutil
import torch
import trl.trainer.utils
from data import DataArguments, lineage
from guards import ChosenGuard, Fitting
from memory import TILE_WORDS, Pass, estimate, return_freed_memory
from transformers import Trainer
from trl import ModelConfig, get_quantization_config

from codepref import reach
from codepref.errors import CodeprefError
from codepref.files import write_whole
from codepref.licences import hub_licence
from codepref.publish import plot
from codepref.publish.dataset import versions
from codepref.publish.modelcard import CURVE, model_card

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "bitsandbytes", "datasets")
ELSEWHERE = {"dataset_name", "model_name_or_path", "model_revision", "model_init_kwargs"}
MACHINE = {"output_dir", "hub_token", "hub_model_id", "resume_from_checkpoint", "report_to", "project", "run_name"}
NOISE = {
    "debug", "resume_changed", "disable_tqdm", "dataloader_pin_memory", "pad_to_multiple_of", "logging_steps",
    "use_cpu",
}  # fmt: skip
TOLD = ("learning_rate", "lr_scheduler_type", "warmup_steps", "num_train_epochs", "max_length", "beta", "optim", "seed")
"""Keys of the trainer that the card shows whether or not they have their default."""
POINTS = 200


@dataclass(frozen=True)
class Method:
    """What the model's card says about a recipe."""

    name: str
    summary: str
    citation: str = ""
    """BibTeX of the paper, if there is one."""


def announce(
    model: torch.nn.Module, model_args: ModelConfig, training_args: Any, step: Pass, preference: bool = True
) -> None:
    """Prints the memory estimate, and a warning when the device has less.

    Args:
        model: The model without its weights.
        model_args: Precision, quantisation and adapter.
        training_args: The trainer's configuration.
        step: The largest pass.
        preference: The loss looks at a reference.
    """
    if training_args.process_index != 0:
        return
    device = "cpu" if training_args.use_cpu or not torch.cuda.is_available() else "cuda"
    second = preference and not model_args.use_peft and not training_args.precompute_ref_log_probs
    guess = estimate(model, model_args, training_args, step, reference=second, device=device)
    print(guess.line())
    if device == "cpu":
        free, remedy = psutil.virtual_memory().available / 1e9 + psutil.Process().memory_info().rss / 1e9, ""
        name = "machine"
    else:
        free, remedy = torch.cuda.mem_get_info()[0] / 1e9, ", or shard with accelerate/fsdp2.yaml"
        name = "GPU"
    if guess.total > free:
        print(
            f"warning: this {name} has {free:.1f} GB free. Set packing, lower per_device_train_batch_size (and raise "
            f"gradient_accumulation_steps) or max_length, set load_in_4bit{remedy}"
        )


@contextlib.contextmanager
def hub_or_copies(script_args: DataArguments, model_args: ModelConfig) -> Iterator[None]:
    """Inside, nobody waits for a Hub that does not answer: neither at the beginning nor where checkpoints are saved.

    Raises:
        CodeprefError: the Hub does not answer, and what is needed of it has no copy on this machine.
    """
    dataset = str(script_args.dataset_name)
    at_hub = [name for name in (model_args.model_name_or_path, dataset) if not Path(name).exists()]
    if not at_hub:
        yield
        return
    try:
        with reach.quick_to_fail(at_hub[0]):
            yield
    except ConnectionError as error:
        if error.errno is not None:  # of another connection
            raise
        raise CodeprefError(f"{at_hub[0]}: {error}") from None


def prepare_trainer(training_args: Any, model_args: ModelConfig, model: torch.nn.Module) -> dict[str, Any]:
    """The arguments every trainer takes: model by name, configuration, quantisation, adapter.

    How the model is to be loaded is put into `training_args`, where TRL looks for it. On a CPU log-probabilities are
    computed in smaller tiles than TRL's: PyTorch's operators hold eight of them at once. What is freed goes back to the
    system.

    Raises:
        CodeprefError: an adapter of modules that the model does not have.
    """
    if training_args.device.type == "cpu":
        trl.trainer.utils._CHUNKED_LOGPROB_CHUNK_SIZE = TILE_WORDS["cpu"]
        return_freed_memory()
    training_args.model_init_kwargs = {
        "revision": model_args.model_revision,
        "attn_implementation": model_args.attn_implementation,
        "dtype": model_args.dtype,
        **(training_args.model_init_kwargs or {}),
    }
    return {
        "model": model_args.model_name_or_path,
        "args": training_args,
        "quantization_config": get_quantization_config(model_args),
        "peft_config": models.adapter(model_args, model),
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

        def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
            super()._save_checkpoint(*args, **kwargs)
            folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
            if self.manifest is not None and self.is_world_process_zero() and folder.is_dir():
                text = json.dumps(self.manifest, indent=1, sort_keys=True) + "\n"
                write_whole(folder / checkpoints.MANIFEST, text.encode())

    Carded.__name__ = kind.__name__
    return Carded


def curve(log: Sequence[dict[str, float]]) -> dict[str, list[tuple[float, float]]]:
    """Logged points (step, value) of what the card plots, at most about `POINTS` each."""
    found = {}
    for name, key in (("loss", "loss"), ("held-out loss", "eval_loss"), ("reward margin", "rewards/margins")):
        points = [(float(entry["step"]), float(entry[key])) for entry in log if key in entry]
        if points:
            found[name] = points[:: max(1, len(points) // POINTS)]
    return found


def write(folder: Path, manifest: dict[str, Any]) -> None:
    """Puts manifest, training curve and card into the folder of a model."""
    folder.mkdir(parents=True, exist_ok=True)
    if manifest["result"].get("curve"):
        axes = ("optimiser step", "loss, reward margin")
        plot.line_plot(folder / CURVE, "Training", axes, manifest["result"]["curve"])
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    (folder / "README.md").write_text(model_card(manifest), encoding="utf-8")


def describe(
    method: Method,
    script_args: Any,
    training_args: Any,
    model_args: ModelConfig,
    fit: Fitting,
    report: Mapping[str, Any],
) -> dict[str, Any]:
    """The run's manifest: what is trained on what, with which settings and versions, and what was found in the rows."""
    name = model_args.model_name_or_path
    local = models.located(name)
    revision = model_args.model_revision
    device = training_args.device.type
    stated = (None, None) if local else models.licence(name, revision)
    return {
        "method": method.name,
        "summary": method.summary,
        "citation": method.citation,
        "base": {
            "name": Path(name).resolve().name if local else name,
            "local": local,
            "revision": None if local else models.commit(name, revision),
            **hub_licence(*stated),
            "load_in_4bit": model_args.load_in_4bit,
            "dtype": model_args.dtype,
        },
        "adapter": model_args.use_peft,
        "dataset": {**lineage(script_args), "rows_sha256": report["sha256"]},
        "config": {**_told(training_args), **_changed(script_args), **_changed(training_args), **_changed(model_args)},
        "versions": {**versions(), **{name: _version(name) for name in LIBRARIES}},
        "hardware": {
            "device": torch.cuda.get_device_name() if device == "cuda" else device,
            "processes": training_args.world_size,
        },
        "checks": fit.checks(report),
    }


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


def _told(training_args: Any) -> dict[str, Any]:
    values = {name: getattr(training_args, name) for name in TOLD if hasattr(training_args, name)}
    return {name: getattr(value, "value", value) for name, value in values.items()}  # enumerations by their value


def resume(script_args: DataArguments, training_args: Any, manifest: dict[str, Any]) -> Path | None:
    """The checkpoint to go on from, if that was asked for; the manifest tells where it is of another run.

    Raises:
        CodeprefError: there is none that is whole, or it is of another run.
    """
    checkpoint = checkpoints.wanted(Path(training_args.output_dir), training_args.resume_from_checkpoint)
    if checkpoint is not None:
        manifest["resumed"] = checkpoints.compare(checkpoint, manifest, script_args.resume_changed)
    return checkpoint


def run(
    trainer: Trainer, manifest: dict[str, Any], checkpoint: Path | None, guard: ChosenGuard | None = None
) -> Trainer:
    """Trains (from a checkpoint, if there is one), saves adapter or model with card and manifest, pushes when asked.

    Raises:
        CodeprefError: the guard stopped the run; what was trained is saved.
    """
    args = trainer.args
    if trainer.is_world_process_zero():
        for key, value in manifest["checks"].items():
            if key != "warnings":
                print(f"{key}: {value}")
        for warning in manifest["checks"]["warnings"]:
            print(f"warning: {warning}")
        if checkpoint is not None:
            print(f"going on from {checkpoint}", *checkpoints.passed_over(checkpoint), sep="; ")
    if guard is not None:
        # before the trackers, so that they see what it adds
        trainer.callback_handler.callbacks.insert(0, guard)
    widen(trainer)
    group(trainer)
    trainer.manifest = manifest
    name_base(trainer, manifest)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if guard is not None and guard.stopped:
        manifest["result"] = {"guard": guard.stopped}
    trainer.save_model(args.output_dir)
    trainer.save_state()
    trainer.create_model_card()
    stopped = guard is not None and guard.stopped and guard.action == "stop"
    if args.push_to_hub and not stopped:
        trainer.push_to_hub()
    end(trainer)
    if stopped:
        raise CodeprefError(f"{guard.stopped}. What was trained is in {args.output_dir}")  # type: ignore[union-attr]
    if trainer.is_world_process_zero():
        print(f"saved: {args.output_dir}")
    return trainer


def name_base(trainer: Trainer, manifest: Mapping[str, Any]) -> None:
    """Puts revision and place of the base into the adapter's configuration.

    A folder is named by its whole path: a relative one means another folder elsewhere, or a stranger's repository.
    """
    for adapter in getattr(trainer.model, "peft_config", {}).values():
        adapter.revision = manifest["base"]["revision"]
        if manifest["base"]["local"] and adapter.base_model_name_or_path:
            adapter.base_model_name_or_path = str(Path(adapter.base_model_name_or_path).resolve())
        if isinstance(adapter.target_modules, set):  # its order would differ from run to run
            adapter.target_modules = sorted(adapter.target_modules)


def end(trainer: Trainer) -> None:
    """Ends trackers and process group, when every process has come here.

    The model's distributed wrapper goes first. It holds the group too, and whoever lets go of the group last waits for
    the group's threads. The wrapper does so with Python's lock, for which such a thread may be waiting: the process
    never ends then. The group itself lets go of the lock.
    """
    if torch.distributed.is_initialized():
        trainer.accelerator.wait_for_everyone()
        trainer.model_wrapped = trainer.model
        trainer.accelerator.free_memory()
    trainer.end()


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
