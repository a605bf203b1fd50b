"""Steps on packed rows: no padding is computed, and what both sides of a pair begin with is computed once.

TRL hands its models padded rows and reads per-token log-probabilities in the same layout; its losses are built on
nothing else. So only the model's forward is wrapped. It lays the tokens of a batch side by side in one row, runs the
model on that, and puts log-probabilities back where TRL looks for them. Losses, masks, weights, references and guards
are what they were.

The tokens that come first in both rows of a pair see the same past: their hidden states are the same ones. With
`prefix` they are in the packed row once, and the rejected row's own tokens look at them and at each other. The LM head
is given only the positions whose next token counts, each once.

Attention is SDPA, row by row: a row's queries against its own keys, the shared ones before them.
"""

import functools
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask
from trl import ModelConfig
from trl.trainer.utils import add_fused_lm_head

from codepref.errors import CodeprefError

ROWS = ("none", "rows")
PAIRS = ("none", "rows", "pairs", "prefix")
"""`pairs` is `rows` by another name: where rows are pairs, both sides are always in one batch."""
NAME = "packed_sdpa"
LAYERS = {"full_attention", "sliding_attention"}
"""Kinds of layers in which a token sees other tokens through attention alone."""
REMEDY = "set packing: none"
ROUTED = "its router's loss counts the tokens of padded rows"
FOR_THE_LOG = ("entropy", "mean_logits", "is_top1")
"""What TRL computes beside log-probabilities, to log it."""


@dataclass(frozen=True)
class Span:
    """One row's own tokens within the packed row, and the other row's tokens that come before them."""

    start: int
    stop: int
    first: int
    """Where the tokens begin that it shares."""
    shared: int
    """How many they are; 0: none."""


@dataclass
class Layout:
    """Where the cells of a padded batch are in the packed row."""

    ids: torch.Tensor
    """(1, tokens): the packed row."""
    positions: torch.Tensor
    """(1, tokens): the place of each token in its own row."""
    spans: list[Span]
    targets: torch.Tensor
    """(1, counted): tokens whose log-probability counts, each once."""
    sources: torch.Tensor
    """(counted,): the packed places of the tokens before them."""
    counted: torch.Tensor
    """(rows, width - 1): cells whose log-probability TRL reads."""
    cells: torch.Tensor
    """(rows, width - 1): which of the targets is in that cell; any where none is."""
    layers: set[int | None] = field(default_factory=set)
    """Layers whose attention has kept to the spans."""
    masks: dict[Any, torch.Tensor] = field(default_factory=dict)

    def mask(self, queries: int, keys: int, window: int | None) -> torch.Tensor | None:
        """Which keys the last `queries` of `keys` tokens see, (1, 1, queries, keys); None: what SDPA does by itself."""
        if queries in (1, keys) and (window is None or keys <= window):
            return None
        if (queries, keys, window) not in self.masks:
            column = torch.arange(keys, device=self.ids.device)
            row = column[keys - queries :, None]
            seen = column <= row if window is None else (column <= row) & (column > row - window)
            self.masks[queries, keys, window] = seen[None, None]
        return self.masks[queries, keys, window]

    def spread(self, values: torch.Tensor) -> torch.Tensor:
        """Values of the targets (1, counted) in TRL's layout (rows, width - 1), zero where nothing counts."""
        return values[0][self.cells].masked_fill(~self.counted, 0)


def lay(ids: torch.Tensor, mask: torch.Tensor, labels: torch.Tensor, shares: bool) -> Layout:
    """Packs a batch.

    Args:
        ids: Padded tokens (rows, width).
        mask: 1 where there is a token; the padding is on the right.
        labels: The tokens, -100 where they do not count.
        shares: The second half of the rows are partners of the first; what they begin with alike is packed once.
    """
    (rows, width), half = ids.shape, len(ids) // 2
    counted = labels[:, 1:] != -100
    own, shared = owned(ids, mask, labels, shares)
    places = own.flatten().cumsum(0).view(rows, width) - 1
    if shares:
        columns = torch.arange(width, device=ids.device)
        places[half:] = torch.where(columns < shared[half:, None], places[:half], places[half:])
    tokens = own.flatten().nonzero()[:, 0]
    packed = ids.flatten()[tokens]
    before = torch.full_like(packed, -1)
    before[places[:, 1:][counted]] = places[:, :-1][counted]
    if not counted.any():  # the head takes at least one token, so that the loss stays a function of the weights
        before[0] = 0
    targets = (before >= 0).nonzero()[:, 0]
    order = ((before >= 0).cumsum(0) - 1).clamp(min=0)
    return Layout(
        ids=packed[None],
        positions=(tokens % width)[None],
        spans=_spans(own.sum(1).tolist(), shared.tolist()),
        targets=packed[targets][None],
        sources=before[targets],
        counted=counted,
        cells=order[places[:, 1:].clamp(min=0)],
    )


def owned(ids: torch.Tensor, mask: torch.Tensor, labels: torch.Tensor, shares: bool) -> tuple[torch.Tensor, ...]:
    """Which cells of a batch are packed (rows, width), and how many tokens each row shares (rows,).

    What comes behind the last token of a row that counts is not read, so it is not packed. Arguments as for `lay`.
    """
    half, columns = len(ids) // 2, torch.arange(ids.size(1), device=ids.device)
    counted, own = labels[:, 1:] != -100, mask.bool()
    if counted.any():
        last = (counted * columns[1:]).amax(1, keepdim=True)
        own = own & (columns <= last) & (last > 0)
    shared = torch.zeros(len(ids), dtype=torch.long, device=ids.device)
    if shares:
        alike = (ids[:half] == ids[half:]) & own[:half] & own[half:]
        shared[half:] = alike.cumprod(1).sum(1)
        own = own & (columns >= shared[:, None])
    return own, shared


def _spans(own: list[int], shared: list[int]) -> list[Span]:
    starts = [sum(own[:row]) for row in range(len(own) + 1)]
    half = len(own) // 2
    firsts = [starts[row - half] if row >= half else 0 for row in range(len(own))]
    made = zip(starts, starts[1:], firsts, shared, strict=False)
    return [Span(*span) for span in made if span[1] > span[0]]


def attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    packed: Layout | None = None,
    sliding_window: int | None = None,
    **rest: Any,
) -> tuple[torch.Tensor, None]:
    """SDPA (transformers' interface) within the rows of a packed batch; without a layout it is transformers' own.

    Raises:
        CodeprefError: the model asks for something that this attention does not do.
    """
    if packed is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, sliding_window=sliding_window, **rest)
    _refuse_extras(module, sliding_window, rest)
    packed.layers.add(getattr(module, "layer_idx", None))
    parts = []
    for span in packed.spans:
        keys, values = (_seen(states, span) for states in (key, value))
        queries = query[:, :, span.start : span.stop]
        mask = packed.mask(queries.size(2), keys.size(2), sliding_window)
        parts.append(sdpa_attention_forward(module, queries, keys, values, mask, **rest)[0])
    return torch.cat(parts, 1), None


def _seen(states: torch.Tensor, span: Span) -> torch.Tensor:
    """Keys or values (1, heads, tokens, size) that a span's tokens may look at."""
    own = states[:, :, span.start : span.stop]
    if not span.shared:
        return own
    return torch.cat([states[:, :, span.first : span.first + span.shared], own], 2)


def _refuse_extras(module: Any, sliding_window: int | None, rest: dict[str, Any]) -> None:
    config = module.config
    kinds = getattr(config, "layer_types", None)
    slides = kinds[module.layer_idx] == "sliding_attention" if kinds else True
    if slides and sliding_window is None and getattr(config, "sliding_window", None) is not None:
        raise CodeprefError(f"{type(module).__name__}: its sliding window can not be packed; {REMEDY}")
    known = {"position_ids", "cache_position"}
    more = [name for name, value in rest.items() if isinstance(value, torch.Tensor) and name not in known]
    more += ["softcap"] * (rest.get("softcap") is not None) + ["is_causal=False"] * (rest.get("is_causal") is False)
    if more:
        raise CodeprefError(f"{type(module).__name__}: attention with {more[0]} can not be packed; {REMEDY}")


AttentionInterface.register(NAME, attention)
AttentionMaskInterface.register(NAME, sdpa_mask)


def check(packing: str, model: Any, model_args: ModelConfig | None = None) -> None:
    """Refuses what can not be packed exactly.

    Args:
        packing: How.
        model: The model, or its skeleton.
        model_args: How it is to be loaded.

    Raises:
        CodeprefError: for the model's attention, or for a router that counts tokens.
    """
    if packing == "none":
        return
    config = model.config.get_text_config()
    given = model_args.attn_implementation if model_args else None
    others = set(getattr(config, "layer_types", None) or ()) - LAYERS
    reason = ""
    if given not in (None, "sdpa"):
        raise CodeprefError(
            f"attn_implementation: {given}: packing brings its own attention; leave it out, or {REMEDY}"
        )
    if others or getattr(config, "is_encoder_decoder", False):
        reason = f"it has layers of {', '.join(sorted(others)) or 'an encoder'}"
    elif any(isinstance(module, torch.nn.Conv1d) for module in model.modules()):
        reason = "its convolutions reach over the rows' ends"
    elif getattr(config, "attn_logit_softcapping", None) is not None:
        reason = "its attention caps logits, which SDPA can not"
    elif getattr(config, "router_aux_loss_coef", 0) and hasattr(config, "output_router_logits"):
        reason = ROUTED
    elif not (model._supports_attention_backend and model._supports_sdpa and model._can_set_attn_implementation()):
        reason = "its attention is its own"
    if reason:
        raise CodeprefError(f"packing: {type(model).__name__} can not be packed: {reason}; {REMEDY}")


def pack(model: Any, packing: str, lean: Callable[[], bool] | None = None) -> None:
    """Wraps `model.forward`, as TRL has patched it, so that calls for log-probabilities run packed.

    Args:
        model: The causal language model itself, below adapters and distributed wrappers.
        packing: `rows`, `pairs` or `prefix`.
        lean: Whether this call is for log-probabilities alone; without it, all is computed that TRL asked for.

    Raises:
        CodeprefError: the model can not be packed.
    """
    whole = model.forward
    if getattr(whole, "packs", False):
        return
    check(packing, model)
    model.set_attn_implementation(NAME)
    alone = whole
    if lean is not None:
        add_fused_lm_head(model)
        alone = model.forward
    count = model.config.get_text_config().num_hidden_layers

    @functools.wraps(whole)
    def forward(self: Any, *args: Any, fused_lm_head: bool = False, **kwargs: Any) -> Any:
        if not fused_lm_head:
            return whole(*args, **kwargs)
        if kwargs.get("output_router_logits"):
            raise CodeprefError(f"packing: {type(self).__name__} can not be packed: {ROUTED}; {REMEDY}")
        layout = lay(kwargs.pop("input_ids"), kwargs.pop("attention_mask"), kwargs.pop("labels"), packing == "prefix")
        inner = alone if lean is not None and lean() else whole
        no_mask = torch.ones(1, 1, 1, 1, dtype=torch.bool, device=layout.ids.device)  # of four dimensions: none is made
        hook = self.base_model.register_forward_hook(functools.partial(_keep_sources, layout))
        try:
            output = inner(
                *args, input_ids=layout.ids, attention_mask=no_mask, position_ids=layout.positions, packed=layout,
                shift_labels=layout.targets, fused_lm_head=True, **kwargs,
            )  # fmt: skip
        finally:
            hook.remove()
        if len(layout.layers) != count:
            raise CodeprefError(
                f"packing: {type(self).__name__} has {count} layers, of which {len(layout.layers)} attend as told; "
                f"{REMEDY}"
            )
        return _unpacked(output, layout)

    forward.packs = True  # type: ignore[attr-defined]
    model.forward = types.MethodType(forward, model)


def _keep_sources(layout: Layout, module: Any, args: Any, output: Any) -> Any:
    """Leaves of the backbone's hidden states those from which a token is predicted that counts."""
    output.last_hidden_state = output.last_hidden_state[:, layout.sources]
    return output


def _unpacked(output: Any, layout: Layout) -> Any:
    for name in ("log_probs", "entropy", "log_sum_sq_probs", "mean_logits", "is_top1"):
        value = getattr(output, name)
        if value is not None:
            setattr(output, name, layout.spread(value))
        elif name in FOR_THE_LOG:  # TRL reads them; PackedTrainer takes them out of its log again
            setattr(output, name, torch.zeros_like(output.log_probs, dtype=None if name != "is_top1" else torch.bool))
    output.loss = -output.log_probs.sum() / layout.counted.sum().clamp(min=1)
    output.label_mask = layout.counted
    return output
