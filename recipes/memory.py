"""An estimate of the memory a run needs, made from its rows and the model's shape before the weights are loaded."""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil
import torch
from measure import Sizes
from trl import ModelConfig

NF4_BYTES = 0.53
"""Bytes of a 4-bit weight: half a byte and its share of the block constants, themselves quantised."""
TILE_TOKENS = 4096
TILE_WORDS = {"cpu": 4096, "cuda": 32768}
"""TRL projects through the LM head in tiles of so many tokens and words at most. Its 32,768 words are for GPUs."""
TILE_COPIES = {"cpu": 8.25, "cuda": 1.0}
"""Copies of a tile in float32 at once: PyTorch's operators on a CPU (its backward pass), one kernel on a GPU."""
RUNTIME_GB = 1.0
"""CUDA context, allocator slack, library workspaces."""
LATER_GB = 0.1
"""What a process on a CPU grows by besides, from the estimate to the end: kernels, modules, small tensors."""

M_MMAP_THRESHOLD = -3
"""Number of the option in glibc's `malloc.h`."""


def return_freed_memory() -> None:
    """Has every block of a megabyte or more be a mapping of its own, which goes back to the system when it is freed.

    glibc raises that limit to 32 MB by itself. Activations of a batch then lie in the heap, which they leave in pieces:
    a step took half as much again as its tensors. With another C library nothing is done.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):
        library.mallopt(M_MMAP_THRESHOLD, 1 << 20)


@dataclass(frozen=True)
class Pass:
    """What one forward pass computes."""

    tokens: float
    """Cells that the layers compute, padding included."""
    counted: float
    """Positions whose next token counts."""
    mask: float = 0
    """Cells of the attention mask of a padded batch: rows x width x width."""
    packed: bool = False

    @property
    def scored(self) -> dict[str, float]:
        """Positions that go through the LM head. On a CPU TRL takes all of a batch; packing leaves those that count."""
        return {"cpu": self.counted if self.packed else self.tokens, "cuda": self.counted}


@dataclass(frozen=True)
class Estimate:
    """Gigabytes (1e9 bytes) in one process, without sharding."""

    weights: float
    trained: float
    reference: float
    activations: float
    runtime: float
    parameters: int
    device: str

    @property
    def total(self) -> float:
        """All of it."""
        return self.weights + self.trained + self.reference + self.activations + self.runtime

    def line(self) -> str:
        """One line for the log."""
        where = "this CPU" if self.device == "cpu" else "one unsharded GPU"
        return (
            f"memory, estimated for {where}: {self.total:.{1 if self.total >= 10 else 2}f} GB "
            f"(weights {self.weights:.2g}, gradients and optimizer {self.trained:.2g}, reference {self.reference:.2g}, "
            f"activations {self.activations:.2g}, runtime {self.runtime:.2g}; "
            f"{self.parameters / 1e6:,.1f} million parameters)"
        )


def largest_pass(sizes: Sizes, training_args: Any, packing: str = "none", budget: int | None = None) -> Pass:
    """The largest pass over one epoch's batches.

    Args:
        sizes: Of the rows that are trained on.
        training_args: The trainer's configuration.
        packing: How rows are packed.
        budget: Tokens of a pass, if that was set.
    """
    batch = training_args.per_device_train_batch_size
    count = len(sizes.prompts)
    if training_args.train_sampling_strategy == "group_by_length":
        order = np.argsort(-sizes.whole.max(1))
    else:  # not the trainer's order, but one like it
        order = np.random.default_rng(training_args.seed).permutation(count)
    passes = (_pass(sizes, order[start : start + batch], packing) for start in range(0, count, batch))
    found = max(passes, key=lambda one: one.tokens)
    if budget and found.tokens > budget:
        return Pass(budget, found.counted * budget / found.tokens, packed=True)
    return found


def _pass(sizes: Sizes, rows: np.ndarray, packing: str) -> Pass:
    whole, prompts = sizes.whole[rows], sizes.prompts[rows]
    counted = whole.sum() - prompts.sum() * whole.shape[1]
    if packing == "none":
        width = int(whole.max())
        return Pass(whole.size * width, counted, whole.size * width**2)
    if packing != "prefix":
        return Pass(whole.sum(), counted, packed=True)
    shared = sizes.shared[rows]
    return Pass(whole.sum() - shared.sum(), counted - (shared - prompts).clip(0).sum(), packed=True)


def estimate(
    model: torch.nn.Module, model_args: ModelConfig, training_args: Any, step: Pass, reference: bool, device: str
) -> Estimate:
    """What a training step needs.

    Args:
        model: The model, or its skeleton.
        model_args: Precision, quantisation and adapter.
        training_args: The trainer's configuration.
        step: The largest pass.
        reference: A second copy of the model is kept (full-parameter training without precomputed log-probs).
        device: `cpu` or `cuda`.
    """
    size = _bytes(model, model_args)
    linear = _linear(model)
    count = sum(parameter.numel() for parameter in model.parameters())
    quantised = sum(layer.weight.numel() for layer in linear.values()) if model_args.load_in_4bit else 0
    weights = quantised * NF4_BYTES + (count - quantised) * size
    if model_args.use_peft:
        adapter = model_args.lora_r * sum(layer.in_features + layer.out_features for layer in linear.values())
        trained = adapter * (2 * 4 + _optimizer_bytes(training_args, 4))  # adapters are fp32
    else:
        trained = count * (size + _optimizer_bytes(training_args, size))
    activations = _activations(model, model_args, training_args, step, device)
    runtime = RUNTIME_GB if device != "cpu" else psutil.Process().memory_info().rss / 1e9 + LATER_GB
    parts = (part / 1e9 for part in (weights, trained, weights if reference else 0, activations))
    return Estimate(*parts, runtime=runtime, parameters=count, device=device)


def _activations(model: Any, model_args: ModelConfig, training_args: Any, step: Pass, device: str) -> float:
    """Bytes at the height of a pass: what the layers keep for the way back, and what is at work beside it."""
    config = model.config.get_text_config()
    linear, size = _linear(model), _bytes(model, model_args)
    half = bool(size == 2 or training_args.bf16 or training_args.fp16)
    layers, hidden = config.num_hidden_layers, config.hidden_size
    width = 2 if half else 4
    # the preference trainers switch dropout off
    noisy = model_args.lora_dropout > 0 and not getattr(training_args, "disable_dropout", False)
    inside = sum(_kept(config, linear, model_args, step, width, noisy)) * step.tokens + step.mask * width
    if half and size == 4:  # weights in half precision too, made by autocast
        inside += 2 * sum(layer.weight.numel() for layer in linear.values()) / layers
    working = 4 * _intermediate(config) * width * step.tokens  # gradients within a layer
    tile = min(step.scored[device], TILE_TOKENS) * min(config.vocab_size, TILE_WORDS[device])
    head = tile * 4 * TILE_COPIES[device] + 3 * step.tokens * hidden * 4
    if training_args.gradient_checkpointing:
        top = layers * hidden * width * step.tokens + max(head, inside + working)
    else:
        top = layers * inside + max(head, working)
    if not model_args.use_peft and config.tie_word_embeddings:  # the embedding's gradient comes last, beside the head's
        top = max(top, config.vocab_size * hidden * size)
    return top


def _kept(
    config: Any, linear: dict[str, Any], model_args: ModelConfig, step: Pass, width: int, noisy: bool
) -> Iterator[float]:
    """Bytes a token that one layer keeps for the backward pass; attention maps are not among it, SDPA makes none.

    Args:
        config: The model's.
        linear: Its linear layers by name.
        model_args: Adapter or full.
        step: The pass.
        width: Bytes of a number.
        noisy: The adapters have dropout.
    """
    hidden, inner, layers = config.hidden_size, _intermediate(config), config.num_hidden_layers
    queries = config.num_attention_heads * (getattr(config, "head_dim", None) or hidden // config.num_attention_heads)
    yield 2 * hidden * 4  # what the two norms are given, in float32
    if model_args.use_peft:
        inputs = sum(layer.in_features for layer in linear.values()) / layers
        yield model_args.lora_r * len(linear) / layers * 4
        if noisy:  # each adapter keeps what dropout has left, and the noise itself; attention keeps its output
            yield (2 * inputs + queries) * width
        else:  # in half precision each adapter keeps a copy of its own
            yield (inputs if width == 2 else 2 * hidden + queries + inner) * width
    else:
        yield 2 * hidden * width  # the norms' own, for their weights
        yield (2 * hidden + queries + inner) * width
    yield (4 if step.packed else 3) * queries * width  # queries, keys and values for each head, the packed parts joined
    gated = any("gate" in name for name in linear)
    yield (3 if gated else 1) * inner * width  # what the activation function takes and gives


def _linear(model: torch.nn.Module) -> dict[str, Any]:
    """The linear layers by name, without the LM head."""
    every = model.named_modules()
    return {name: m for name, m in every if isinstance(m, torch.nn.Linear) and not name.endswith("lm_head")}


def _bytes(model: Any, model_args: ModelConfig) -> int:
    """Bytes of a weight as it is loaded: `dtype`, or what the model was saved in."""
    name = model_args.dtype
    dtype = getattr(torch, name) if name not in (None, "auto") else getattr(model.config, "dtype", None)
    return (dtype or torch.float32).itemsize


def _optimizer_bytes(training_args: Any, size: int) -> float:
    """Bytes of Adam's two moments for one trained weight."""
    return 2.0 if "8bit" in str(training_args.optim) else 2.0 * size


def _intermediate(config: Any) -> int:
    return int(getattr(config, "intermediate_size", None) or 4 * config.hidden_size)
