"""The tiny model's forward pass, for sampling: plain matrices, a static key-value cache, nothing else.

`AutoModelForCausalLM` loads the same folder and gives the same logits; this one does without the general library's
overhead, which for a million weights is most of the time (`benchmarks/results/tiny.md`).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch.nn.functional import scaled_dot_product_attention, silu

from codepref.errors import CodeprefError

MASKED = -1e9
"""Added to the scores of what must not be seen; minus infinity would turn the rows of padding into NaN."""


@dataclass(frozen=True)
class Layer:
    """Weights of one layer; the norms' gains are multiplied into the matrices that follow them."""

    qkv: torch.Tensor
    """(3 x width, width); queries are divided by the square root of a head's width."""
    out: torch.Tensor
    """(width, width)"""
    gate_up: torch.Tensor
    """(2 x inner, width)"""
    down: torch.Tensor
    """(width, inner)"""


@dataclass(frozen=True)
class KeyValueCache:
    """Keys and values of a batch: (layers, rows, heads, columns, width of a head) each."""

    keys: torch.Tensor
    values: torch.Tensor
    mask: torch.Tensor
    """(rows, 1, 1, columns), added to attention scores: MASKED over the padding on the left."""

    def rows(self, index: torch.Tensor, filled: int) -> "KeyValueCache":
        """The cache of some rows, or of rows repeated; only the `filled` first columns are copied."""
        shape = (self.keys.shape[0], len(index), *self.keys.shape[2:])
        keys, values = self.keys.new_empty(shape), self.values.new_empty(shape)
        keys[:, :, :, :filled] = self.keys[:, index, :, :filled]
        values[:, :, :, :filled] = self.values[:, index, :, :filled]
        return KeyValueCache(keys, values, self.mask[index])


class Network:
    """The weights in one floating-point type."""

    def __init__(self, checkpoint: Path, dtype: torch.dtype = torch.float32) -> None:
        """Read a checkpoint folder. Raises CodeprefError when it is no LLaMA of the tiny model's kind."""
        shape, weights = _read(checkpoint)
        tensors = {name.removeprefix("model."): tensor.to(dtype) for name, tensor in weights.items()}
        self.dtype = dtype
        self.heads = int(shape["num_attention_heads"])
        self.positions = int(shape["max_position_embeddings"])
        self.eps = float(shape["rms_norm_eps"])
        self.embedding = tensors["embed_tokens.weight"]
        self.logits = self.embedding * tensors["norm.weight"]
        self.layers = [_layer(tensors, n, self.heads) for n in range(int(shape["num_hidden_layers"]))]
        self.cos, self.sin = _rotations(shape, self.embedding.shape[1] // self.heads, self.positions, dtype)

    def cache(self, pads: torch.Tensor, columns: int) -> KeyValueCache:
        """An empty cache for rows with `pads` columns of padding on the left."""
        width = self.embedding.shape[1] // self.heads
        shape = (len(self.layers), len(pads), self.heads, columns, width)
        padding = torch.arange(columns)[None, :] < pads[:, None]
        mask = padding.to(self.dtype)[:, None, None, :] * MASKED
        return KeyValueCache(torch.empty(shape, dtype=self.dtype), torch.empty(shape, dtype=self.dtype), mask)

    def forward(self, ids: torch.Tensor, cache: KeyValueCache, start: int) -> torch.Tensor:
        """Read the columns from `start` on: ids (rows, columns). Fills the cache.

        Returns logits of the token after the last column: (rows, vocabulary). Positions count columns, padding
        included: rotary attention only sees differences.
        """
        end = start + ids.shape[1]
        cos, sin = self.cos[start:end], self.sin[start:end]
        mask = cache.mask[..., :end]
        if ids.shape[1] > 1:
            mask = mask + torch.full((end - start, end), MASKED, dtype=self.dtype).triu(start + 1)
        hidden = self.embedding[ids]
        for layer, keys, values in zip(self.layers, cache.keys, cache.values, strict=True):
            query, key, value = self._heads(self._norm(hidden) @ layer.qkv.t())
            keys[:, :, start:end] = _rotate(key, cos, sin)
            values[:, :, start:end] = value
            seen = scaled_dot_product_attention(
                _rotate(query, cos, sin), keys[:, :, :end], values[:, :, :end], attn_mask=mask, scale=1.0
            )
            hidden = hidden + seen.transpose(1, 2).flatten(2) @ layer.out.t()
            gate, up = (self._norm(hidden) @ layer.gate_up.t()).chunk(2, dim=-1)
            hidden = hidden + (silu(gate) * up) @ layer.down.t()
        return self._norm(hidden[:, -1]) @ self.logits.t()

    def _norm(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden * torch.rsqrt(hidden.square().mean(-1, keepdim=True) + self.eps)

    def _heads(self, joined: torch.Tensor) -> tuple[torch.Tensor, ...]:
        rows, columns, _ = joined.shape
        query, key, value = joined.view(rows, columns, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        return query, key, value


def _layer(tensors: dict[str, torch.Tensor], n: int, heads: int) -> Layer:
    name = f"layers.{n}."
    before, after = tensors[f"{name}input_layernorm.weight"], tensors[f"{name}post_attention_layernorm.weight"]
    query, key, value = (tensors[f"{name}self_attn.{part}_proj.weight"] for part in "qkv")
    scale = (query.shape[0] // heads) ** -0.5
    gate, up = (tensors[f"{name}mlp.{part}_proj.weight"] for part in ("gate", "up"))
    return Layer(
        torch.cat([query * scale, key, value]) * before,
        tensors[f"{name}self_attn.o_proj.weight"],
        torch.cat([gate, up]) * after,
        tensors[f"{name}mlp.down_proj.weight"],
    )


def _rotations(
    shape: dict[str, Any], width: int, positions: int, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    rope = shape.get("rope_parameters") or shape
    theta = float(rope.get("rope_theta", 10000.0))
    frequencies = theta ** -(torch.arange(0, width, 2, dtype=torch.float64) / width)
    angles = torch.arange(positions, dtype=torch.float64)[:, None] * torch.cat([frequencies, frequencies])
    return angles.cos().to(dtype), angles.sin().to(dtype)


def _rotate(heads: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    first, second = heads.chunk(2, dim=-1)
    return heads * cos + torch.cat([-second, first], dim=-1) * sin


def _read(checkpoint: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    try:
        shape = json.loads((checkpoint / "config.json").read_text())
        weights = load_file(checkpoint / "model.safetensors")
    except (OSError, ValueError) as error:
        raise CodeprefError(
            f"{checkpoint}: no checkpoint ({error}); name a folder `codepref tiny train` wrote"
        ) from None
    if (
        shape.get("model_type") != "llama"
        or not shape.get("tie_word_embeddings")
        or shape.get("num_key_value_heads") != shape.get("num_attention_heads")
    ):
        raise CodeprefError(f"{checkpoint}: not of the tiny model's kind; use the generation backend `local`")
    return shape, weights
