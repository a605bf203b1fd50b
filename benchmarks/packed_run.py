"""A whole run packed and the same run padded: their curves, and what the two models then solve.

    codepref tiny prompts --split build --n 80 --seed 0 --out runs/prompts.jsonl
    codepref build codedpo --config builders/configs/codedpo/tiny.yaml --set prompts=runs/prompts.jsonl --out runs/pairs
    python -m benchmarks.packed_run runs/pairs

The tiny model (`codepref/generate/tiny`), LoRA in float32, the same seed; `recipes/tiny/dpo_lora.yaml` but for what is
given here. Both models answer held-out tasks greedily, and their programs are run on 30 hidden tests each.
"""

import argparse
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CURVES = ("loss", "rewards/margins", "logps/chosen", "logps/rejected", "grad_norm")


@dataclass(frozen=True)
class Run:
    """What one training has shown."""

    curves: dict[str, list[float]]
    texts: list[str]
    """A program for each task."""
    right: list[bool]
    seconds: float
    """Of the training itself."""


def train(method: str, dataset: str, packing: str, folder: Path, changes: Sequence[str] = ()) -> tuple[Any, Path]:
    """Trains and merges; the trainer, and the folder of the merged model."""
    out = folder / packing
    words = ["--config", str(ROOT / "recipes" / "tiny" / f"{method}_lora.yaml"), "--dataset_name", dataset]
    words += ["--packing", packing, "--output_dir", str(out), "--logging_steps", "1", *changes]
    with contextlib.redirect_stdout(sys.stderr), contextlib.chdir(ROOT):
        trainer = import_module(method).main(words)
        import_module("merge").main([str(out), "--out", str(folder / f"{packing}-merged"), "--dtype", "float32"])
    return trainer, folder / f"{packing}-merged"


def answers(model: Path, tasks: Sequence[Any], folder: Path) -> list[str]:
    """A model's greedy program for each task."""
    from codepref.generate import Request, Sampling
    from codepref.generate.cache import Cache
    from codepref.generate.tiny.backend import TinyConfig, TinyGenerator

    requests = [Request(task.task_id, "code", task.prompt, n=1) for task in tasks]
    with Cache(folder / f"{model.name}.sqlite") as cache:
        generator = TinyGenerator(TinyConfig(str(model)), Sampling(temperature=0), cache)
        return [completions[0].text for completions in generator.generate(requests)]


def run(method: str, dataset: str, packing: str, count: int, changes: Sequence[str] = ()) -> Run:
    """Trains, merges, asks and judges."""
    from codepref.generate.tiny.tasks import tasks
    from evaluation import tiny

    chosen = tasks("heldout", count, 0)
    with tempfile.TemporaryDirectory() as name:
        trainer, model = train(method, dataset, packing, Path(name), changes)
        texts = answers(model, chosen, Path(name))
    log = trainer.state.log_history
    curves = {key: [entry[key] for entry in log if key in entry] for key in CURVES}
    judged = tiny.right([(task.prompt, [text]) for task, text in zip(chosen, texts, strict=True)])
    return Run(curves, texts, [bool(row[0]) for row in judged], log[-1]["train_runtime"])


def compare(padded: Run, packed: Run) -> dict[str, Any]:
    """Steps, the largest difference of each curve in units of its largest value, pass@1 of both, equal answers."""
    differences = {}
    for key, values in padded.curves.items():
        most = max(1.0, *map(abs, values))
        apart = [abs(one - other) for one, other in zip(values, packed.curves[key], strict=True)]
        differences[key] = max(apart) / most
    same = [one == other for one, other in zip(padded.texts, packed.texts, strict=True)]
    tasks = len(padded.right)
    return {
        "steps": len(padded.curves["loss"]),
        "differences": differences,
        "loss": [padded.curves["loss"][0], padded.curves["loss"][-1]],
        "pass@1": [sum(padded.right) / tasks, sum(packed.right) / tasks],
        "same programs": sum(same),
        "tasks": tasks,
        "seconds": [padded.seconds, packed.seconds],
    }


def asked() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("dataset", help="pairs for the tiny model: a folder or a file")
    parser.add_argument("--method", choices=("dpo", "focal_dpo"), default="dpo")
    parser.add_argument("--packing", choices=("rows", "prefix"), default="prefix")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--tasks", type=int, default=240)
    return parser.parse_args()


def main() -> None:
    """Prints a table, and the result as JSON."""
    wanted = asked()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.path.insert(0, str(ROOT / "recipes"))
    epochs = ["--num_train_epochs", str(wanted.epochs)]
    padded, packed = (
        run(wanted.method, str(Path(wanted.dataset).resolve()), packing, wanted.tasks, epochs)
        for packing in ("none", wanted.packing)
    )
    found = compare(padded, packed)
    print("| step | loss, padded | loss, packed | margin, padded | margin, packed |\n|" + " ---: |" * 5)
    shown = [one.curves[key] for key in CURVES[:2] for one in (padded, packed)]
    for step, values in enumerate(zip(*shown, strict=True), start=1):
        print(f"| {step} | " + " | ".join(f"{value:.6f}" for value in values) + " |")
    print(json.dumps({**vars(wanted), **found}))


if __name__ == "__main__":
    main()
