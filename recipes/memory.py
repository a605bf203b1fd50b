"""An estimate of the GPU memory a run needs, made before the weights are loaded."""

from dataclasses import dataclass
from typing import Any

import torch
from trl import ModelConfig

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "auto": 2}
NF4_BYTES = 0.53
"""Bytes of a 4-bit weight: half a byte and its share of the block constants, themselves quantised."""
TILE = 4096 * 32768
"""Logits that exist at once: TRL projects through the LM head in tiles of so many tokens and words."""
RUNTIME_GB = 1.0
"""CUDA context, allocator slack, library workspaces."""


@dataclass(frozen=True)
class Estimate:
    """Gigabytes (1e9 bytes) on one GPU, without sharding."""

    weights: float
    trained: float
    reference: float
    activations: float
    total: float
    parameters: int

    def line(self) -> str:
        """One line for the log."""
        return (
            f"memory, estimated for one unsharded GPU: {self.total:.1f} GB (weights {self.weights:.2g}, gradients and "
            f"optimizer {self.trained:.2g}, reference {self.reference:.2g}, activations {self.activations:.2g}, "
            f"runtime {RUNTIME_GB:.2g}; {self.parameters / 1e6:,.1f} million parameters)"
        )


def estimate(
    model: torch.nn.Module, model_args: ModelConfig, training_args: Any, rows: float, reference: bool
) -> Estimate:
    """What a training step needs.

    Args:
        model: The model, or its skeleton.
        model_args: Precision, quantisation and adapter.
        training_args: The trainer's configuration.
        rows: Sequences of `max_length` in one forward pass (twice the pairs for DPO).
        reference: A second copy of the model is kept (full-parameter training without precomputed log-probs).
    """
    size = BYTES[model_args.dtype or "auto"]
    linear = [m for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and not n.endswith("lm_head")]
    count = sum(parameter.numel() for parameter in model.parameters())
    quantised = sum(layer.weight.numel() for layer in linear) if model_args.load_in_4bit else 0
    weights = quantised * NF4_BYTES + (count - quantised) * size
    if model_args.use_peft:
        adapter = model_args.lora_r * sum(layer.in_features + layer.out_features for layer in linear)
        trained = adapter * (2 * 4 + _optimizer_bytes(training_args, 4))  # adapters are fp32
    else:
        trained = count * (size + _optimizer_bytes(training_args, size))
    config = model.config.get_text_config()
    tokens = rows * (training_args.max_length or 2048)
    layers = config.num_hidden_layers
    inside = 2 * (12 * config.hidden_size + 3 * _intermediate(config))  # a layer's tensors in bf16, no attention maps
    kept = layers * config.hidden_size * 2 + inside if training_args.gradient_checkpointing else layers * inside
    logits = min(tokens * config.vocab_size, TILE) * 4 * 2
    activations = tokens * kept + logits
    parts = [weights, trained, weights if reference else 0, activations]
    gigabytes = [part / 1e9 for part in parts]
    return Estimate(*gigabytes, total=sum(gigabytes) + RUNTIME_GB, parameters=count)


def _optimizer_bytes(training_args: Any, size: int) -> float:
    """Bytes of Adam's two moments for one trained weight."""
    return 2.0 if "8bit" in str(training_args.optim) else 2.0 * size


def _intermediate(config: Any) -> int:
    return int(getattr(config, "intermediate_size", None) or 4 * config.hidden_size)
