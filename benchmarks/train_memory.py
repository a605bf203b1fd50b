"""The memory a training run says it will need, next to what it took: each case is a run of a recipe in a fresh process.

    python -m benchmarks.train_memory                       # all cases, on the CPU; minutes, up to 5 GB
    python -m benchmarks.train_memory --only "prefix"       # those whose name has it
    python -m benchmarks.train_memory --tokens              # tokens a step on GPUs of 24, 48, 80 and 141 GB

Random weights, one batch of synthetic pairs of `train_speed.py`. What it took is the largest resident set of the
process (`ru_maxrss`); what it says is on its own line of output, before the weights are loaded.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LARGE = 151936
"""Qwen2.5's vocabulary."""
GPUS = (24, 48, 80, 141)
"""Gigabytes."""
LEAST = 2048
"""Tokens of a pass below which there is no room for a pair."""
QWEN = {
    "0.5B": (896, 4864, 24, 14, 2),
    "1.5B": (1536, 8960, 28, 12, 2),
    "7B": (3584, 18944, 28, 28, 4),
    "14B": (5120, 13824, 48, 40, 8),
    "32B": (5120, 27648, 64, 40, 8),
}
"""As published: hidden size, intermediate size, layers, heads, key-value heads."""
LORA = {"use_peft": True, "lora_r": 16, "lora_target_modules": "all-linear"}
FULL: dict[str, Any] = {}


@dataclass(frozen=True)
class Case:
    """One run."""

    method: str
    shape: str
    vocabulary: int
    packing: str
    batch: int
    max_length: int
    lora: bool = True
    context: int = 2
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What tells it from the others."""
        parts = [self.method, self.shape, f"{self.vocabulary} words", "LoRA" if self.lora else "full"]
        parts += [self.packing, f"{self.batch} x {self.max_length}", *(f"{key}" for key in self.more)]
        return ", ".join(parts)


KEPT = {"gradient_checkpointing": True}
CASES = (
    Case("dpo", "toy", 4096, "prefix", 4, 512),
    Case("dpo", "narrow", 4096, "none", 8, 384),
    Case("dpo", "small", LARGE, "prefix", 2, 512, lora=False, context=0),
    Case("dpo", "narrow", 4096, "prefix", 12, 384, lora=False),
    Case("dpo", "narrow", LARGE, "prefix", 6, 256),
    Case("dpo", "narrow", 4096, "none", 12, 384, lora=False, more=KEPT),
    Case("dpo", "narrow", 4096, "rows", 8, 384),
    Case("dpo", "narrow", LARGE, "none", 2, 256, lora=False),
    Case("focal_dpo", "narrow", 4096, "prefix", 8, 384),
    Case("kto", "narrow", 4096, "rows", 12, 384),
    Case("sft", "narrow", 4096, "none", 8, 384),
    Case("dpo", "small", LARGE, "none", 2, 512, lora=False, context=0, more={"precompute_ref_log_probs": True}),
    Case("dpo", "small", LARGE, "none", 2, 512),
    Case("dpo", "small", LARGE, "prefix", 4, 512, more=KEPT),
    Case("dpo", "0.5b", LARGE, "prefix", 2, 512, context=0),
)


def prepare(folder: Path, number: int, case: Case) -> None:
    """Writes the model, unless it is there, and the pairs of a case, in a process that is forgotten.

    What torch needs is not to count as this process's: its children would inherit that.
    """
    child = os.fork()
    if not child:
        make(folder, number, case)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise RuntimeError("the model could not be made")


def make(folder: Path, number: int, case: Case) -> None:
    """See `prepare`."""
    sys.path[:0] = [str(ROOT / "recipes"), str(ROOT / "recipes" / "tiny")]
    from benchmarks import train_speed

    model = folder / f"{case.shape}-{case.vocabulary}"
    if not model.exists():
        train_speed.make(case.shape, case.vocabulary, model)
    rows = train_speed.pairs(case.batch, case.context)
    if case.method == "sft":
        rows = [{"prompt": row["prompt"], "completion": row["chosen"]} for row in rows]
    (folder / f"{number}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def command(case: Case, folder: Path, number: int) -> list[str]:
    """The command of a case."""
    values = {
        "model_name_or_path": str(folder / f"{case.shape}-{case.vocabulary}"),
        "dataset_name": str(folder / f"{number}.jsonl"),
        "output_dir": str(folder / "out"),
        "dtype": "float32",
        "max_length": case.max_length,
        "per_device_train_batch_size": case.batch,
        "max_steps": 1 if case.lora else 2,  # the optimizer's moments are there from the first update on
        "gradient_checkpointing": False,
        "bf16": False,
        "use_cpu": True,
        "report_to": "none",
        "save_strategy": "no",
        "logging_steps": 1,
        "packing": case.packing,
        **(LORA if case.lora else FULL),
        **case.more,
    }
    if case.method == "sft":
        del values["packing"]
    path = folder / f"{number}.yaml"
    path.write_text(json.dumps(values))  # JSON is YAML
    return [sys.executable, str(ROOT / "recipes" / f"{case.method}.py"), "--config", str(path)]


def took(words: list[str], log: Path) -> float:
    """Runs a command; gigabytes of its largest resident set.

    This process is small, so that what a child inherits of its parent's peak is small too.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    with log.open("w") as output:
        child = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{' '.join(words)}: code {child.returncode}: {log.read_text()[-2000:]}")
    return usage.ru_maxrss * 1024 / 1e9


def measure(cases: list[Case], keep: Path | None) -> Iterator[dict[str, Any]]:
    """One result a case: gigabytes estimated and taken."""
    with tempfile.TemporaryDirectory() as made:
        folder = keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        for number, case in enumerate(cases):
            prepare(folder, number, case)
            log = folder / f"{number}.log"
            peak = took(command(case, folder, number), log)
            line = next(line for line in log.read_text().splitlines() if line.startswith("memory, estimated"))
            said = float(re.search(r": ([\d.]+) GB", line).group(1))  # type: ignore[union-attr]
            yield {**asdict(case), "name": case.name, "estimated": said, "took": round(peak, 3), "line": line}


def tokens_that_fit(shape: str, recipe: str, gigabytes: Sequence[float]) -> list[int]:
    """Packed tokens of one pass that a GPU's memory has room for, by the recipes' estimate, a tenth left free.

    Every second token is taken to count: what goes through the LM head.
    """
    from accelerate import init_empty_weights
    from transformers import AutoModelForCausalLM, Qwen2Config
    from trl import DPOConfig, ModelConfig

    memory = import_module("memory")
    hidden, intermediate, layers, heads, shared = QWEN[shape]
    config = Qwen2Config(
        vocab_size=LARGE if hidden < 3000 else 152064, hidden_size=hidden, intermediate_size=intermediate,
        num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=shared,
        tie_word_embeddings=hidden < 3000,
    )  # fmt: skip
    with init_empty_weights():
        model = AutoModelForCausalLM.from_config(config)
    model.tie_weights()
    quantised = recipe == "QLoRA"
    how = {"use_peft": True, "load_in_4bit": True, "lora_r": 32, "dtype": "bfloat16"} if quantised else {}
    optim = "paged_adamw_8bit" if quantised else "adamw_torch_fused"
    args = DPOConfig(output_dir="x", use_cpu=True, report_to="none", bf16=True, optim=optim)
    settings = ModelConfig(**{"dtype": "float32", **how})

    def needed(tokens: int) -> float:
        step = memory.Pass(tokens, tokens // 2, packed=True)
        return float(memory.estimate(model, settings, args, step, False, "cuda").total)

    # the estimate grows in a line once a tile of logits is full
    low, high = 2 * memory.TILE_TOKENS, 2 * memory.TILE_TOKENS + 1_000_000
    slope = (needed(high) - needed(low)) / (high - low)
    return [max(0, int(low + (0.9 * size - needed(low)) / slope)) for size in gigabytes]


def print_tokens() -> None:
    """The table of tokens a pass."""
    sys.path[:0] = [str(ROOT / "recipes")]
    print(f"| model | recipe | {' | '.join(f'{size} GB' for size in GPUS)} |\n| --- | --- |" + " ---: |" * len(GPUS))
    for shape in QWEN:
        for recipe in ("QLoRA", "full"):
            fits = tokens_that_fit(shape, recipe, GPUS)
            shown = [f"{count // 1024 * 1024:,}" if count >= LEAST else "-" for count in fits]
            print(f"| Qwen2.5-Coder-{shape} | {recipe} | {' | '.join(shown)} |")


def asked() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="", help="cases whose name has this")
    parser.add_argument("--tokens", action="store_true", help="tokens a pass on GPUs, estimated; nothing is run")
    parser.add_argument("--keep", type=Path, help="folder for models, pairs and logs (default: none is kept)")
    return parser.parse_args()


def main() -> None:
    """Prints a table, and the results as JSON lines."""
    wanted = asked()
    if wanted.tokens:
        print_tokens()
        return
    cases = [case for case in CASES if wanted.only in case.name]
    print("| run | estimated GB | took GB | ratio |\n| --- | ---: | ---: | ---: |")
    results = []
    for found in measure(cases, wanted.keep):
        results.append(found)
        ratio = found["estimated"] / found["took"]
        print(f"| {found['name']} | {found['estimated']:.2f} | {found['took']:.2f} | {ratio:.2f} |", flush=True)
    for found in results:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
