"""What our recipes cost next to stock TRL, and what packing and the usual savings bring, on the same model and pairs.

    python -m benchmarks.train_speed                          # toy model on the CPU, one thread
    python -m benchmarks.train_speed --data runs/dataset --batch 8 --only stock,packed
    python -m benchmarks.train_speed --shape 0.5b --device cuda --batch 8 --steps 20

Random weights. Pairs of a dataset, or synthetic ones: programs with one wrong line, lengths spread over a factor of
eight, `--context` more functions in each prompt. Variants take turns within each round, so that what else the machine
does falls on all of them; a ratio is the median over rounds of time by the baseline's time in the same round, for the
same pairs. On the CPU time is CPU seconds of the process (others' load does not count), on a GPU wall seconds after a
synchronisation. Memory is the peak above what was there before the trainer.

The shares that are printed are the bound: what padding is of all cells of the padded batches, and what the packed rows
leave out of the tokens because both sides begin with it. `counted` are the positions whose logits a loss needs.
"""

import argparse
import gc
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SHAPES = {
    "toy": (128, 384, 2, 4, 2),
    "narrow": (128, 384, 24, 4, 2),
    "small": (512, 1536, 4, 8, 2),
    "0.5b": (896, 4864, 24, 14, 2),
    "1.5b": (1536, 8960, 28, 12, 2),
    "7b": (3584, 18944, 28, 28, 4),
}
"""Hidden size, intermediate size, layers, heads, key-value heads."""


@dataclass(frozen=True)
class Variant:
    """One way to train; `base` is the variant it is compared with."""

    name: str
    base: str | None
    build: Callable[[], Any]


def stored(name: str, count: int) -> list[dict[str, Any]]:
    """The pairs of a dataset, over and over until there are `count`."""
    from data import DataArguments
    from data import pairs as read

    rows = read(DataArguments(dataset_name=name)).train.remove_columns("place").to_list()
    return [rows[number % len(rows)] for number in range(count)]


def pairs(count: int, context: int, seed: int = 0) -> list[dict[str, Any]]:
    """Programs of 1 to 8 functions, one of them wrong in one side, with the spans of the differing lines."""
    generator = random.Random(seed)
    lines = (ROOT / "recipes" / "tiny" / "pairs.jsonl").read_text(encoding="utf-8").splitlines()
    known = [json.loads(line) for line in lines]
    rows = []
    for number in range(count):
        parts = generator.choices(known, k=generator.choice((1, 1, 2, 2, 3, 4, 6, 8)))
        wrong = generator.randrange(len(parts))
        before = "".join(part["chosen"] for part in parts[:wrong])
        after = "".join(part["chosen"] for part in parts[wrong + 1 :])
        given = "".join(part["chosen"] for part in generator.choices(known, k=context))
        row = {"prompt": f"{given}# Module {number}: {parts[wrong]['prompt']}"}
        for side in ("chosen", "rejected"):
            spans = parts[wrong][f"{side}_spans"]
            row[side] = before + parts[wrong][side] + after
            row[f"{side}_spans"] = [[a + len(before), b + len(before)] for a, b in spans]
        rows.append(row)
    return rows


def make(shape: str, vocabulary: int, folder: Path, device: str = "cpu") -> Any:
    """Writes tokenizer and random weights of a shape, drawn on a device; returns the tokenizer."""
    import model as tiny
    import torch
    from transformers import AutoModelForCausalLM, Qwen2Config

    words = tiny.tokenizer()
    hidden, intermediate, layers, heads, shared = SHAPES[shape]
    config = Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=shared,
        pad_token_id=words.pad_token_id,
        eos_token_id=words.eos_token_id,
        bos_token_id=None,
        tie_word_embeddings=hidden < 3000,
    )
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32 if shape == "toy" else torch.bfloat16)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return words


def variants(folder: Path, words: Any, rows: list[dict[str, Any]], wanted: argparse.Namespace) -> list[Variant]:
    """Stock trainers as their documentation builds them, our recipes' trainers, and one change at a time."""
    import dpo as dpo_recipe
    import focal
    import kto
    import recipe
    from data import DataArguments, labelled
    from datasets import Dataset
    from guards import ChosenGuard
    from peft import LoraConfig
    from transformers import PrinterCallback
    from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

    table = Dataset.from_list(rows)
    path = folder / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    mixed = labelled(DataArguments(dataset_name=str(path)), seed=0).train.remove_columns("place")

    def arguments(kind: type, **changes: Any) -> Any:
        pair = {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 1.0]} if kind is DPOConfig else {}
        return kind(**{**_shared_arguments(folder, wanted), **pair, **changes})

    def trainer(kind: type, args: Any, data: Dataset = table, ours: bool = False, **extra: Any) -> Any:
        adapter = LoraConfig(r=16, target_modules="all-linear", lora_dropout=0.0)
        built = (recipe.own_card(kind) if ours else kind)(
            model=str(folder), args=args, train_dataset=data, processing_class=words, peft_config=adapter, **extra
        )
        built.remove_callback(PrinterCallback)
        if ours:
            built.callback_handler.callbacks.insert(0, ChosenGuard(0.1, 100.0, 10.0, "stop"))
            recipe.widen(built)
            recipe.group(built)
        return built

    def focal_with(rejected: list[float], packing: str = "none") -> Callable[[], Any]:
        focus = "lines" if "chosen_spans" in rows[0] else "middle"
        settings = focal.FocalArguments(focus=focus, rejected_focus_weight=rejected)
        extra = {"settings": settings, "packing": packing}
        return lambda: trainer(focal.FocalDPOTrainer, arguments(DPOConfig), ours=True, **extra)

    def dpo(packing: str = "none", **changes: Any) -> Callable[[], Any]:
        kind = dpo_recipe.PackedDPOTrainer
        return lambda: trainer(kind, arguments(DPOConfig, **changes), ours=True, packing=packing)

    def own_kto(packing: str) -> Callable[[], Any]:
        return lambda: trainer(kto.PackedKTOTrainer, arguments(KTOConfig), mixed, ours=True, packing=packing)

    every = [
        Variant("stock DPO", None, lambda: trainer(DPOTrainer, arguments(DPOConfig))),
        Variant("our DPO", "stock DPO", dpo()),
        Variant("packed DPO: rows", "stock DPO", dpo("rows")),
        Variant("packed DPO: prefix", "stock DPO", dpo("prefix")),
        Variant("focal DPO, mask", "stock DPO", focal_with([0.0, 1.0, 0.0])),
        Variant("focal DPO, graded weights", "stock DPO", focal_with([0.3, 1.0, 0.3])),
        Variant("packed focal DPO: prefix", "stock DPO", focal_with([0.0, 1.0, 0.0], "prefix")),
        Variant("stock KTO", None, lambda: trainer(KTOTrainer, arguments(KTOConfig), mixed)),
        Variant("our KTO", "stock KTO", own_kto("none")),
        Variant("packed KTO: rows", "stock KTO", own_kto("rows")),
        Variant("reference precomputed", "our DPO", dpo(precompute_ref_log_probs=True)),
        Variant("length-grouped batches", "our DPO", dpo(train_sampling_strategy="group_by_length")),
        Variant("both", "our DPO", dpo(precompute_ref_log_probs=True, train_sampling_strategy="group_by_length")),
        Variant("gradient checkpointing", "our DPO", dpo(gradient_checkpointing=True)),
    ]
    return _asked_for(every, wanted.only)


def _shared_arguments(folder: Path, wanted: argparse.Namespace) -> dict[str, Any]:
    """What the configurations of all trainers have in common."""
    values = {
        "output_dir": str(folder / "out"),
        "report_to": "none",
        "save_strategy": "no",
        "use_cpu": wanted.device == "cpu",
        "bf16": wanted.device != "cpu",
        "gradient_checkpointing": False,
        "per_device_train_batch_size": wanted.batch,
        "max_steps": wanted.steps,
        "max_length": 1024,
        "disable_tqdm": True,
        "logging_steps": wanted.steps,
    }
    return values | ({"model_init_kwargs": {"dtype": wanted.dtype}} if wanted.dtype else {})


def _asked_for(every: list[Variant], only: str | None) -> list[Variant]:
    """The variants with one of the words of `--only` in their names, and those that they are compared with."""
    words = only.split(",") if only else [""]
    chosen = [variant for variant in every if any(word in variant.name for word in words)]
    names = {variant.name for variant in chosen} | {variant.base for variant in chosen}
    return [variant for variant in every if variant.name in names]


def shares(trainer: Any, packing: str) -> dict[str, float]:
    """Of one epoch's padded cells: what is padding, what packing leaves out besides, what needs logits."""
    from packing import lay

    padded, real, packed, counted = 0, 0, 0, 0
    for batch in trainer.get_train_dataloader():
        labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)
        layout = lay(batch["input_ids"], batch["attention_mask"], labels, packing == "prefix")
        padded += labels.numel()
        real += int(batch["attention_mask"].sum())
        packed += layout.ids.numel()
        counted += layout.targets.numel()
    found = {"padding": 1 - real / padded, "shared": (real - packed) / padded, "counted": counted / padded}
    return {**{name: round(value, 3) for name, value in found.items()}, "bound": round(padded / packed, 2)}


def timed(trainer: Any, device: str) -> tuple[float, int, float]:
    """Seconds of one training run, tokens it read (padding left out), and peak memory above the start in MB."""
    import torch

    gc.collect()
    start_memory = _memory(device, reset=True)
    _synchronise(device)
    clock = time.process_time if device == "cpu" else time.perf_counter
    start = clock()
    trainer._total_train_tokens = 0
    trainer.train()
    _synchronise(device)
    seconds = clock() - start
    tokens = int(trainer.state.log_history[-2]["num_tokens"])
    peak = _memory(device) - start_memory
    trainer.optimizer = trainer.lr_scheduler = None
    if device != "cpu":
        torch.cuda.empty_cache()
    return seconds, tokens, peak / 1e6


def _synchronise(device: str) -> None:
    import torch

    if device != "cpu":
        torch.cuda.synchronize()


def _memory(device: str, reset: bool = False) -> float:
    """Bytes: the peak since the last reset, or, when resetting, what is in use."""
    import torch

    if device != "cpu":
        if reset:
            torch.cuda.reset_peak_memory_stats()
            return float(torch.cuda.memory_allocated())
        return float(torch.cuda.max_memory_allocated())
    if reset:
        Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak is the present again
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("VmRSS" if reset else "VmHWM"))) * 1024


def full_logits(trainer: Any, fused: bool, device: str) -> float:
    """Seconds of one forward and backward pass over a batch: TRL's fused head, or log-softmax over whole logits."""
    batch = trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))
    labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)
    inputs = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"], "use_cache": False}
    clock = time.process_time if device == "cpu" else time.perf_counter
    _synchronise(device)
    start = clock()
    if fused:
        found = trainer.model(**inputs, labels=labels, fused_lm_head=True).log_probs
    else:
        every = trainer.model(**inputs).logits[:, :-1].float().log_softmax(-1)
        found = every.gather(-1, batch["input_ids"][:, 1:, None]).squeeze(-1) * batch["completion_mask"][:, 1:]
    found.sum().backward()
    trainer.model.zero_grad()
    _synchronise(device)
    return clock() - start


def measure(
    chosen: list[Variant], trainers: dict[str, Any], rounds: int, device: str, kernel: bool
) -> Iterator[dict[str, Any]]:
    """Runs the variants in turn, once to warm up and then `rounds` times; one result a variant, and TRL's kernel."""
    found: dict[str, list[tuple[float, int, float]]] = {variant.name: [] for variant in chosen}
    for number in range(rounds + 1):
        order = chosen if number % 2 else chosen[::-1]
        for variant in order:
            result = timed(trainers[variant.name], device)
            if number:
                found[variant.name].append(result)
        print(f"round {number} of {rounds}", file=sys.stderr)
    for variant in chosen:
        seconds, tokens, peaks = zip(*found[variant.name], strict=True)
        ratios = [1.0]
        if variant.base:
            rates = [t / s for s, t, _ in found[variant.name]]
            bases = [t / s for s, t, _ in found[variant.base]]
            ratios = [base / rate for rate, base in zip(rates, bases, strict=True)]
        args = trainers[variant.name].args
        rows = args.per_device_train_batch_size * args.max_steps
        yield {
            "variant": variant.name,
            "against": variant.base,
            "rows_per_s": round(rows * len(seconds) / sum(seconds), 2),
            "tokens_per_s": round(sum(tokens) / sum(seconds), 1),
            "time_ratio": round(statistics.median(ratios), 3),
            "range": [round(min(ratios), 3), round(max(ratios), 3)],
            "peak_mb": round(statistics.median(peaks), 1),
        }
    if not kernel:
        return
    pair = [
        (full_logits(trainers["our DPO"], False, device), full_logits(trainers["our DPO"], True, device))
        for _ in range(rounds)
    ]
    ratios = [fused / whole for whole, fused in pair]
    yield {
        "variant": "fused log-probs (one pass)",
        "against": "log-softmax over whole logits",
        "rows_per_s": None,
        "tokens_per_s": None,
        "time_ratio": round(statistics.median(ratios), 3),
        "range": [round(min(ratios), 3), round(max(ratios), 3)],
        "peak_mb": None,
    }


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shape", choices=SHAPES, default="toy")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--vocabulary", type=int, default=4096, help="rows of the LM head (a real one has 150,000)")
    parser.add_argument("--data", help="a dataset of pairs, as the recipes take it; else synthetic pairs")
    parser.add_argument("--context", type=int, default=0, help="functions in each synthetic prompt")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=4, help="a round's steps")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--dtype", help="the weights are loaded in it (TRL: float32)")
    parser.add_argument("--only", default="", help="variants whose name has one of these words, divided by commas")
    return parser.parse_args()


def main() -> None:
    wanted = asked()
    sys.path[:0] = [str(ROOT / "recipes"), str(ROOT / "recipes" / "tiny")]

    import datasets
    import torch
    import trl

    datasets.disable_progress_bars()
    if wanted.device == "cpu":
        torch.set_num_threads(1)
    count = wanted.batch * wanted.steps * 4
    rows = stored(wanted.data, count) if wanted.data else pairs(count, wanted.context)
    with tempfile.TemporaryDirectory() as folder:
        words = make(wanted.shape, wanted.vocabulary, Path(folder))
        chosen = variants(Path(folder), words, rows, wanted)
        trainers = {variant.name: variant.build() for variant in chosen}
        stock = trainers[chosen[0].name]
        bounds = {packing: shares(stock, packing) for packing in ("rows", "prefix") if "DPO" in chosen[0].name}
        results = list(measure(chosen, trainers, wanted.rounds, wanted.device, kernel=not wanted.only))
    heads = "| variant | rows/s | tokens/s | time to | ratio [range] | peak MB |"
    print(f"{heads}\n| --- | ---: | ---: | --- | ---: | ---: |")
    for item in results:
        rate, speed, peak = (
            "" if item[name] is None else f"{item[name]:,.{digits}f}"
            for name, digits in (("rows_per_s", 2), ("tokens_per_s", 0), ("peak_mb", 0))
        )
        ratio = f"{item['time_ratio']} [{item['range'][0]}-{item['range'][1]}]"
        print(f"| {item['variant']} | {rate} | {speed} | {item['against'] or ''} | {ratio} | {peak} |")
    for packing, found in bounds.items():
        print(f"{packing}: {found}")
    device = "cpu, one thread" if wanted.device == "cpu" else torch.cuda.get_device_name()
    about = {"device": device, "torch": torch.__version__, "trl": trl.__version__, **vars(wanted)}
    print(json.dumps({**about, "bounds": bounds, "results": results}))


if __name__ == "__main__":
    main()
