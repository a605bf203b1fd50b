"""The parts of `run.sh`, in one process: `python -m benchmarks.gpu.parts FOLDER NAME... [--dry]`.

Each part writes FOLDER/NAME.json: `state` (`done`; `absent`: this machine lacks something, named in `said`, and all
else of the part has run), `said`, and `rows` of a table. A part that raises writes `failed` and ends the process.
"""

import argparse
import contextlib
import gc
import importlib.util
import io
import json
import math
import os
import platform
import re
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from benchmarks import train_speed

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "bitsandbytes", "deepspeed", "datasets")
LAUNCH_S = 55
"""Seconds that a start of `accelerate launch` may take."""
QUIET = ["--report_to", "none", "--save_strategy", "no", "--eval_strategy", "no", "--eval_fraction", "0.0"]
ONE_DEVICE = ["--num_processes", "1", "--num_machines", "1", "--machine_rank", "0"]
Found = dict[str, Any]


@dataclass(frozen=True)
class Sizes:
    """What is big on a GPU and small in a dry run."""

    small: tuple[str, int]
    """Shape and vocabulary of the model that stands for 0.5B."""
    large: tuple[str, int]
    """The same of 7B."""
    batches: tuple[int, int]
    """Pairs a batch, small and large."""
    steps: int
    rounds: int
    max_length: int
    pairs: int
    context: int
    """Functions in each synthetic prompt."""


GPU = Sizes(("0.5b", 151936), ("7b", 152064), (8, 2), steps=8, rounds=2, max_length=2048, pairs=256, context=4)
DRY = Sizes(("toy", 704), ("toy", 704), (2, 1), steps=1, rounds=1, max_length=256, pairs=12, context=0)


@dataclass(frozen=True)
class Place:
    """Where a part works."""

    folder: Path
    dry: bool

    @property
    def sizes(self) -> Sizes:
        """What is asked of this machine."""
        return DRY if self.dry else GPU

    @property
    def device(self) -> str:
        """As train_speed.py names it."""
        return "cpu" if self.dry else "cuda"

    @property
    def pairs(self) -> Path:
        """The dataset of all parts."""
        return self.folder / "pairs.jsonl"

    def overrides(self, model: str, out: str) -> list[str]:
        """Words of a recipe's command line that put it here; on a CPU what needs a GPU is set otherwise."""
        words = ["--model_name_or_path", str(self.folder / model), "--dataset_name", str(self.pairs)]
        words += ["--prompt_template", "null", "--packing", "prefix", "--max_length", str(self.sizes.max_length)]
        words += ["--logging_steps", "1", "--output_dir", str(self.folder / out), "--chosen_guard", "off", *QUIET]
        if self.dry:
            words += ["--use_cpu", "true", "--optim", "adamw_torch", "--gradient_accumulation_steps", "1"]
        return words


def machine(place: Place) -> Found:
    """Hardware and versions."""
    found = {"python": platform.python_version(), "system": platform.platform(), "cores": os.cpu_count()}
    for name in LIBRARIES:
        found[name] = version(name) if importlib.util.find_spec(name) else "absent"
    if place.dry:
        return {"device": f"CPU ({platform.machine()}), no GPU was at hand", **found}
    properties = torch.cuda.get_device_properties(0)
    found |= {"memory_gb": round(properties.total_memory / 1e9, 1), "cuda": torch.version.cuda}
    found["capability"] = f"{properties.major}.{properties.minor}"
    return {"device": properties.name, **found}


def models(place: Place) -> Found:
    """Draws the weights of both shapes and the pairs that all parts train on."""
    rows = train_speed.pairs(place.sizes.pairs, place.sizes.context)
    place.pairs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = []
    for name, (shape, vocabulary) in (("small", place.sizes.small), ("large", place.sizes.large)):
        began = time.monotonic()
        train_speed.make(shape, vocabulary, place.folder / name, place.device)
        size = sum(path.stat().st_size for path in (place.folder / name).glob("*.safetensors"))
        made.append({"model": name, "shape": shape, "vocabulary": vocabulary, "GB": round(size / 1e9, 3)})
        made[-1]["seconds"] = round(time.monotonic() - began, 1)
    return {"rows": made}


def parity(place: Place) -> Found:
    """How far loss, log-probabilities and gradients are from the padded float32 step's, packed and padded."""
    rows, exact = [], None
    for dtype in ("float32", "bfloat16"):
        for packing in ("none", "rows", "prefix"):
            found = _step(place, dtype, packing)
            exact = exact or found
            errors = {
                name: (value - expected).abs().max().item() / max(1.0, expected.abs().max().item())
                for (name, value), expected in zip(found.items(), exact.values(), strict=True)
            }
            rows.append({"precision": dtype, "packing": packing, **{key: f"{one:.1e}" for key, one in errors.items()}})
            rows[-1]["largest"] = max(errors.values())
    padded = rows[3]["largest"]
    bad = [row for row in rows[1:3] if not row["largest"] < 1e-4]
    bad += [row for row in rows[4:] if not row["largest"] < 2 * padded]
    if bad:
        raise AssertionError(f"not the padded step's: {bad}")
    said = f"bfloat16 is {padded:.1e} off padded, {max(rows[4]['largest'], rows[5]['largest']):.1e} packed"
    return {"rows": [{**row, "largest": f"{row['largest']:.1e}"} for row in rows], "said": said}


def _step(place: Place, dtype: str, packing: str, shard: Callable[[Any], None] | None = None) -> Found:
    """Loss, log-probabilities and gradients of one step with adapters that are not zero."""
    from peft import LoraConfig

    lora = LoraConfig(r=8, target_modules="all-linear", init_lora_weights=False, lora_dropout=0.0)
    torch.manual_seed(0)
    trainer = _trainer(place, "small", 2, packing, dtype, lora)
    if shard:
        shard(trainer.model)
    batch = trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))
    trainer.model.train()
    loss = trainer.compute_loss(trainer.model, batch)
    loss.backward()
    given = [p.grad for p in trainer.model.parameters() if p.grad is not None]
    whole = [grad.full_tensor() if hasattr(grad, "full_tensor") else grad for grad in given]
    gradients = torch.cat([grad.flatten().float().cpu() for grad in whole])
    labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        found = trainer.model(**inputs, labels=labels, fused_lm_head=True).log_probs
    return {"loss": loss.detach().float().cpu(), "log-probs": found.float().cpu(), "gradients": gradients}


def _trainer(place: Place, model: str, batch: int, packing: str, dtype: str, lora: Any) -> Any:
    """Our DPO trainer on the first pairs."""
    import dpo
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import DPOConfig

    lines = place.pairs.read_text().splitlines()[: 4 * batch]
    rows = [{key: json.loads(line)[key] for key in ("prompt", "chosen", "rejected")} for line in lines]
    args = DPOConfig(
        output_dir=str(place.folder / "out"), report_to="none", save_strategy="no", use_cpu=place.dry, bf16=False,
        gradient_checkpointing=False, per_device_train_batch_size=batch, max_length=place.sizes.max_length,
        loss_type=["sigmoid", "sft"], loss_weights=[1.0, 1.0], disable_tqdm=True, model_init_kwargs={"dtype": dtype},
    )  # fmt: skip
    return dpo.PackedDPOTrainer(
        model=str(place.folder / model), args=args, train_dataset=Dataset.from_list(rows), packing=packing,
        processing_class=AutoTokenizer.from_pretrained(place.folder / model), peft_config=lora,
    )  # fmt: skip


def speed(place: Place, model: str, batch: int, only: str) -> Found:
    """Time and memory of stock TRL and of packed steps with LoRA on bfloat16 weights, one after the other."""
    from transformers import AutoTokenizer

    sizes = place.sizes
    count = batch * sizes.steps * 2
    rows = [json.loads(line) for line in place.pairs.read_text().splitlines()][:count]
    wanted = argparse.Namespace(batch=batch, steps=sizes.steps, device=place.device, only=only, dtype="bfloat16")
    words = AutoTokenizer.from_pretrained(place.folder / model)
    found: list[Found] = []
    times: dict[str, float] = {}
    for variant in train_speed.variants(place.folder / model, words, rows, wanted):
        trainer = variant.build()
        weights = 0.0 if place.dry else torch.cuda.memory_allocated() / 1e9
        results = [train_speed.timed(trainer, place.device) for _ in range(sizes.rounds + 1)][1:]
        seconds, tokens, peaks = zip(*results, strict=True)
        times[variant.name] = statistics.median(seconds)
        found.append(
            {
                "variant": variant.name,
                "pairs/s": round(batch * sizes.steps / times[variant.name], 2),
                "tokens/s": round(sum(tokens) / sum(seconds)),
                "time to stock": round(times[variant.name] / times.get(variant.base or variant.name, 1), 3),
                "weights GB": round(weights, 3),
                "peak above GB": round(max(peaks) / 1e3, 3),
            }
        )
        del trainer
        _forget(place)
    return {"rows": found, "said": f"{batch} pairs a batch, {sizes.steps} steps, {sizes.rounds} rounds"}


def _forget(place: Place) -> None:
    gc.collect()
    if not place.dry:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def recipe_run(place: Place, method: str, config: str, words: list[str]) -> Found:
    """A whole run of a recipe, from its configuration: what it estimated, what it took."""
    main = importlib.import_module(method).main
    _forget(place)
    said = io.StringIO()
    began = time.monotonic()
    with contextlib.redirect_stdout(said):
        trainer = main(["--config", str(ROOT / "recipes" / config), *words])
    seconds = time.monotonic() - began
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    estimated = re.search(r"memory, estimated[^:]*: ([\d.]+) GB", said.getvalue())
    if estimated is None or not all(map(math.isfinite, losses)):
        raise AssertionError(f"no estimate, or a loss that is no number: {losses} {said.getvalue()[-500:]}")
    row: Found = {"configuration": config, "steps": trainer.state.global_step, "seconds": round(seconds, 1)}
    row |= {"first loss": round(losses[0], 4), "last loss": round(losses[-1], 4)}
    row["estimated GB"] = float(estimated.group(1))
    # the context of CUDA and of its libraries is outside the allocator
    row["peak GB, allocator"] = "" if place.dry else round(torch.cuda.max_memory_reserved() / 1e9, 1)
    row["speed"] = f"{trainer.state.global_step / trainer.state.log_history[-1]['train_runtime']:.2f} steps/s"
    return row


def full(place: Place) -> Found:
    """Full parameters: the recipe of a model of about a billion weights, on the small shape."""
    words = [*place.overrides("small", "full"), "--max_steps", "3"]
    return {"rows": [recipe_run(place, "dpo", "deepseek-coder-1.3b/dpo.yaml", words)], "said": _changes(place)}


def qlora(place: Place) -> Found:
    """QLoRA: the 7B recipe on the large shape."""
    words = [*place.overrides("large", "qlora"), "--max_steps", "2", "--gradient_accumulation_steps", "4"]
    return {"rows": [recipe_run(place, "dpo", "qwen2.5-coder-7b/dpo_qlora.yaml", words)], "said": _changes(place)}


def _changes(place: Place) -> str:
    return "on a CPU: adamw_torch in place of the configuration's optimizer" if place.dry else ""


def merge(place: Place) -> Found:
    """Trains a QLoRA adapter on the small shape and merges it into the weights it was trained on, and the original."""
    import merge as merging

    words = [*place.overrides("small", "adapter"), "--max_steps", "2", "--gradient_accumulation_steps", "1"]
    trained = recipe_run(place, "focal_dpo", "qwen2.5-coder-0.5b/focal_dpo_qlora.yaml", words)
    rows = []
    for into in ("trained", "original"):
        _forget(place)
        said = io.StringIO()
        began = time.monotonic()
        with contextlib.redirect_stdout(said):
            merging.main([str(place.folder / "adapter"), "--out", str(place.folder / f"merged-{into}"), "--into", into])
        distance = re.search(r"lie (\S+) of their spread", said.getvalue())
        assert distance is not None, said.getvalue()
        row = {"into": into, "seconds": round(time.monotonic() - began, 1), "distance of logits": distance.group(1)}
        rows.append({**row, "last loss of the training": trained["last loss"]})
    return {"rows": rows, "said": _changes(place)}


def launch(place: Place, file: str, needs: str | None) -> Found:
    """Starts a run of two steps under `accelerate launch` with a sharded file, on one device.

    Where it can not start, the file is read by accelerate, the command line by the recipe, and the same run starts
    without it.
    """
    path = ROOT / "recipes" / "accelerate" / file
    words = ["recipes/dpo.py", "--config", "recipes/deepseek-coder-1.3b/dpo.yaml"]
    words += [*place.overrides("small", path.stem), "--max_steps", "2", "--gradient_accumulation_steps", "1"]
    shown = f"accelerate launch --config_file recipes/accelerate/{file} {shlex.join(ONE_DEVICE)} {words[0]} ..."
    row = {"kind": _kind(path), "command": f"`{shown}`"}
    lacks = ["a GPU"] if place.dry else []
    if needs and not importlib.util.find_spec(needs):
        lacks.append(f"the package {needs}")
    if lacks:
        row |= recipe_run(place, "dpo", words[2].removeprefix("recipes/"), words[3:])
        said = f"not started by accelerate: that needs {' and '.join(lacks)}; file and command line were read, and the "
        return {"state": "absent", "said": said + "run started without them", "rows": [row]}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(ROOT / "recipes" / "launch.py"), "--config_file", str(path), *ONE_DEVICE, *words],
        cwd=ROOT, capture_output=True, text=True, timeout=LAUNCH_S, check=False,
    )  # fmt: skip
    if done.returncode:
        raise AssertionError(f"code {done.returncode}: {(done.stderr or done.stdout)[-2000:]}")
    state = json.loads((place.folder / path.stem / "trainer_state.json").read_text())
    losses = [round(entry["loss"], 4) for entry in state["log_history"] if "loss" in entry]
    return {"rows": [{**row, "seconds": round(time.monotonic() - began, 1), "losses": losses}]}


def _kind(path: Path) -> str:
    """How accelerate reads a file: the kind of distribution."""
    from accelerate.commands.config.config_args import load_config_from_file

    return str(getattr(load_config_from_file(str(path)), "distributed_type", "")).rpartition(".")[2]


def sharded(place: Place) -> Found:
    """A packed step of a model that FSDP2 has sharded over one device, against the same step whole, in float32."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    whole = _step(place, "float32", "prefix")
    kind = "gloo" if place.dry else "nccl"
    torch.distributed.init_process_group(kind, init_method=f"file://{place.folder}/group", rank=0, world_size=1)

    def shard(model: Any) -> None:
        mesh = init_device_mesh(place.device, (1,))
        for layer in model.get_base_model().model.layers:
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)

    try:
        found = _step(place, "float32", "prefix", shard)
    finally:
        torch.distributed.destroy_process_group()
    errors = {name: (found[name] - whole[name]).abs().max().item() for name in whole}
    if not max(errors.values()) < 1e-4:
        raise AssertionError(f"not the step of the whole model: {errors}")
    return {"rows": [{"packing": "prefix", **{name: f"{error:.1e}" for name, error in errors.items()}}]}


def parts(place: Place) -> dict[str, Callable[[], Found]]:
    """The parts by name."""
    small, large = place.sizes.batches
    return {
        "models": lambda: models(place),
        "parity": lambda: parity(place),
        "speed_small": lambda: speed(place, "small", small, "stock DPO,packed DPO,packed focal"),
        "speed_large": lambda: speed(place, "large", large, "stock DPO,packed DPO: prefix"),
        "full": lambda: full(place),
        "qlora": lambda: qlora(place),
        "merge": lambda: merge(place),
        "sharded": lambda: sharded(place),
        "fsdp2": lambda: launch(place, "fsdp2.yaml", None),
        "zero3": lambda: launch(place, "zero3.yaml", "deepspeed"),
    }


def write(place: Place, name: str, found: Found) -> None:
    """Puts a result where the waiting process looks for it, whole."""
    part = place.folder / f"{name}.part"
    part.write_text(json.dumps(found))
    part.rename(place.folder / f"{name}.json")


def main() -> None:
    """Runs the named parts in order; the first that fails is the last."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--dry", action="store_true")
    given = parser.parse_args()
    place = Place(given.folder, given.dry)
    if not place.dry and not torch.cuda.is_available():
        sys.exit("no CUDA device is here; run.sh --dry runs every part at toy size on the CPU")
    sys.path[:0] = [str(ROOT / "recipes"), str(ROOT / "recipes" / "tiny")]
    if place.dry:
        torch.set_num_threads(1)
    write(place, "machine", machine(place))
    known = parts(place)
    for name in given.names:
        print(f"part {name}", flush=True)
        try:
            found = {"state": "done", **known[name]()}
        except Exception as error:
            write(place, name, {"state": "failed", "said": f"{type(error).__name__}: {str(error)[-600:]}"})
            raise
        write(place, name, found)
        _forget(place)


if __name__ == "__main__":
    main()
