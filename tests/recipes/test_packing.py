"""Packed steps: the padded step's loss, log-probabilities and gradients, and no token computed that is not needed."""

import json
from importlib import import_module
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoConfig, AutoModelForCausalLM
from trl import DPOConfig

from codepref.errors import CodeprefError

PAIRS = Path(__file__).resolve().parents[2] / "recipes" / "tiny" / "pairs.jsonl"
PACKINGS = ["rows", "prefix"]
LAY = import_module("packing").lay
SHAPE = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2}
WINDOWS = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 8}
MODELS = {
    "llama": {"num_key_value_heads": 2},
    "qwen2": {"num_key_value_heads": 2, "tie_word_embeddings": True},
    "qwen2 with windows": {**WINDOWS, "num_key_value_heads": 2, "use_sliding_window": True},
    "gemma3_text": {**WINDOWS, "num_key_value_heads": 1, "head_dim": 16, "final_logit_softcapping": 5.0},
    "starcoder2": {"num_key_value_heads": 2, "sliding_window": 8},
    "phi": {},
}


@pytest.fixture(scope="module")
def made(words, tmp_path_factory):
    """Gives the folder of a random model of a kind; weights are large, so that all tokens matter to each other."""
    root = tmp_path_factory.mktemp("models")

    def make(kind, **changes):
        folder = root / "".join([kind, *map(str, changes)])
        if not folder.is_dir():
            torch.manual_seed(0)
            ends = {"pad_token_id": words.pad_token_id, "eos_token_id": words.eos_token_id, "bos_token_id": None}
            values = {**SHAPE, **ends, "vocab_size": len(words), "initializer_range": 0.2}
            config = AutoConfig.for_model(kind.split()[0], **{**values, **MODELS.get(kind, {}), **changes})
            AutoModelForCausalLM.from_config(config).save_pretrained(folder)
            words.save_pretrained(folder)
        return str(folder)

    return make


@pytest.fixture(scope="module")
def varied(words):
    """Pairs of unlike lengths: some begin alike, some do not, one side is another one's beginning."""
    rows = [json.loads(line) for line in PAIRS.read_text().splitlines()]
    long = {**rows[0], "chosen": rows[0]["chosen"] * 3, "rejected": rows[1]["chosen"]}
    cut = {**rows[2], "chosen": rows[2]["chosen"] * 2, "rejected": rows[2]["chosen"][: len(rows[2]["chosen"]) // 2]}
    return [{key: row[key] for key in ("prompt", "chosen", "rejected")} for row in (rows[3], long, cut, rows[4])]


def chats(rows):
    return [
        {
            "prompt": [{"role": "user", "content": row["prompt"]}],
            **{side: [{"role": "assistant", "content": row[side]}] for side in ("chosen", "rejected")},
        }
        for row in rows
    ]


def build(folder, words, rows, out, packing="none", adapter=False, double=False, kind=None, extra=None, **changes):
    values = {
        "output_dir": str(out), "report_to": "none", "bf16": False, "use_cpu": True, "gradient_checkpointing": False,
        "per_device_train_batch_size": 4, "loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.5], "max_length": 90,
        "save_strategy": "no", "disable_tqdm": True,
    }  # fmt: skip
    # weights that differ from the reference's, so that no log-ratio is zero
    lora = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, lora_dropout=0.0)
    trainer = (kind or import_module("dpo").PackedDPOTrainer)(
        model=folder, args=DPOConfig(**{**values, **changes}), train_dataset=Dataset.from_list(rows),
        processing_class=words, peft_config=lora if adapter else None, packing=packing, **(extra or {}),
    )  # fmt: skip
    if trainer.ref_model is not None:
        generator = torch.Generator().manual_seed(1)
        for parameter in trainer.ref_model.parameters():
            parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)
    for model in (trainer.model, trainer.ref_model):
        if double and model is not None:
            model.double()
            exact_norms(model)
    return trainer


def step(trainer):
    """Loss, log-probabilities in TRL's layout, gradient of every trained weight in one vector."""
    batch = trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))
    trainer.model.train()
    trainer.model.zero_grad()
    loss = trainer.compute_loss(trainer.model, batch)
    loss.backward()
    gradients = torch.cat([p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None])
    return loss.detach(), log_probs(trainer, batch), gradients


def log_probs(trainer, batch):
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)
    with torch.no_grad():
        return trainer.model(**inputs, labels=labels, fused_lm_head=True).log_probs


def difference(found, expected):
    """The largest difference of loss, log-probabilities and gradients, in units of the largest value (1 at least)."""
    return max(((a - b).abs().max() / b.abs().max().clamp(min=1)).item() for a, b in zip(found, expected, strict=True))


class WholeLogits:
    """In place of TRL's kernel, which computes in float32 whatever the model computes in."""

    @staticmethod
    def apply(hidden, weight, bias, targets, temperature, chunk, softcap, scale, outputs):
        logits = (hidden @ weight.T + (0 if bias is None else bias)) * scale
        logits = logits if softcap is None else softcap * torch.tanh(logits / softcap)
        every = (logits / temperature).log_softmax(-1)
        entropy = -(every.exp() * every).sum(-1)
        found = every.gather(-1, targets[:, None])[:, 0]
        return found, entropy.detach(), None, logits.mean(-1).detach(), every.argmax(-1) == targets


def exact_norms(model):
    """Lets the norms that compute in float32 compute in what they are given."""
    for module in model.modules():
        if type(module).__name__.endswith("RMSNorm"):
            shift = 1.0 if "Gemma" in type(module).__name__ else 0.0
            epsilon = getattr(module, "variance_epsilon", None) or module.eps

            def forward(x, module=module, shift=shift, epsilon=epsilon):
                return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon) * (module.weight + shift)

            module.forward = forward


@pytest.fixture
def exact(monkeypatch):
    monkeypatch.setattr("trl.trainer.utils._ChunkedLogProbFunction", WholeLogits)


@pytest.mark.parametrize("adapter", [True, False], ids=["lora", "full"])
@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen2 with windows", "gemma3_text"])
def test_the_step_is_the_padded_one_in_double_precision(made, words, varied, tmp_path, exact, kind, adapter):
    for rows in (varied, chats(varied)):
        padded = step(build(made(kind), words, rows, tmp_path, adapter=adapter, double=True))
        for packing in PACKINGS:
            packed = step(build(made(kind), words, rows, tmp_path, packing, adapter=adapter, double=True))
            assert packed[0].dtype == torch.float64
            print(f"parity in float64: {kind}, {packing}: {difference(packed, padded):.1e}")
            assert difference(packed, padded) < 1e-10, packing


@pytest.mark.parametrize("adapter", [True, False], ids=["lora", "full"])
@pytest.mark.parametrize("kind", MODELS)
def test_the_step_is_the_padded_one_in_single_precision(made, words, varied, tmp_path, kind, adapter):
    padded = step(build(made(kind), words, varied, tmp_path, adapter=adapter))
    for packing in PACKINGS:
        packed = step(build(made(kind), words, varied, tmp_path, packing, adapter=adapter))
        print(f"parity in float32: {kind}, {packing}: {difference(packed, padded):.1e}")
        assert difference(packed, padded) < 1e-5, packing


def test_half_precision_is_as_far_off_packed_as_padded(made, words, varied, tmp_path):
    exact = step(build(made("qwen2"), words, varied, tmp_path, adapter=True))
    errors = {}
    for packing in ("none", *PACKINGS):
        trainer = build(made("qwen2"), words, varied, tmp_path, packing, adapter=True)
        trainer.model.bfloat16()
        found = [value.float() for value in step(trainer)]
        errors[packing] = difference(found, exact)
    print(f"error in bfloat16: {errors}")
    assert 1e-4 < errors["none"] < 0.2
    assert all(errors[packing] < 2 * errors["none"] for packing in PACKINGS), errors


@pytest.mark.parametrize("weights", [(0.0, 1.0, 0.0), (0.3, 1.0, 0.3)], ids=["mask", "graded"])
@pytest.mark.parametrize("precomputed", [False, True], ids=["live", "precomputed"])
def test_focal_steps(made, words, rows, tmp_path, weights, precomputed):
    import focal

    def found(packing):
        settings = focal.FocalArguments(rejected_focus_weight=list(weights))
        # rows that say how they are packed: what is kept of the reference on disk is not another packing's
        named = [{**row, "packing": packing} for row in rows]
        return step(
            build(
                made("llama"), words, named, tmp_path, packing, adapter=True, kind=focal.FocalDPOTrainer,
                extra={"settings": settings}, precompute_ref_log_probs=precomputed,
            )
        )  # fmt: skip

    padded = found("none")
    assert (padded[1] == 0).float().mean() > 0.4
    for packing in PACKINGS:
        assert difference(found(packing), padded) < 1e-5, packing


def naive(ids, mask, labels, shares):
    """What `lay` says, cell by cell: (packed tokens, for each counted cell the tokens that come before it)."""
    rows, width = ids.shape
    reach = [max((c for c in range(1, width) if labels[r, c] != -100), default=-1) + 1 for r in range(rows)]
    texts = [tuple(ids[r, : reach[r]].tolist()) for r in range(rows)]
    assert all(mask[r, : reach[r]].all() for r in range(rows))
    packed = sum(map(len, texts))
    if shares:
        for good, bad in zip(texts[: rows // 2], texts[rows // 2 :], strict=True):
            alike = [a == b for a, b in zip(good, bad, strict=False)]
            packed -= alike.index(False) if False in alike else len(alike)
    return packed, {(r, c): texts[r][:c] for r in range(rows) for c in range(1, width) if labels[r, c] != -100}


def seen_from(layout, place):
    """The tokens that the packed token at `place` looks at, itself the last."""
    span = next(span for span in layout.spans if span.start <= place < span.stop)
    shared = range(span.first, span.first + span.shared)
    return tuple(layout.ids[0, [*shared, *range(span.start, place + 1)]].tolist())


@pytest.mark.parametrize("shares", [False, True], ids=["rows", "prefix"])
def test_layout_is_what_counting_says(shares):
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        width = int(torch.randint(3, 9, (1,), generator=generator))
        ids = torch.randint(0, 2, (6, width), generator=generator)  # two words, so that many rows begin alike
        lengths = torch.randint(1, width + 1, (6, 1), generator=generator)
        mask = (torch.arange(width) < lengths).long()
        labels = ids.masked_fill((mask == 0) | (torch.rand(ids.shape, generator=generator) < 0.5), -100)
        if not (labels[:, 1:] != -100).any():
            continue
        layout = LAY(ids, mask, labels, shares)
        packed, before = naive(ids, mask, labels, shares)
        assert layout.ids.numel() == packed
        assert layout.targets.numel() <= len(before)
        numbers = layout.spread(torch.arange(layout.targets.numel())[None] + 1)
        for (row, column), tokens in before.items():
            target = int(numbers[row, column - 1]) - 1
            assert layout.targets[0, target] == ids[row, column]
            source = int(layout.sources[target])
            assert layout.positions[0, source] == column - 1
            assert seen_from(layout, source) == tokens
        assert (numbers > 0).sum() == len(before)


def test_a_batch_in_which_nothing_counts_has_a_gradient_of_zero(made, words, varied, tmp_path):
    trainer = build(made("llama"), words, varied, tmp_path, "prefix")
    batch = trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    output = trainer.model(**inputs, labels=torch.full_like(batch["input_ids"], -100), fused_lm_head=True)
    output.log_probs.sum().backward()
    assert (output.log_probs == 0).all()
    assert all((p.grad == 0).all() for p in trainer.model.parameters() if p.grad is not None)


def test_without_log_probs_the_model_is_what_it_was(made, words, varied, tmp_path):
    padded, packed = (build(made("qwen2"), words, varied, tmp_path, packing) for packing in ("none", "prefix"))
    packed.model.save_pretrained(tmp_path / "saved")
    assert "packed" not in (tmp_path / "saved" / "config.json").read_text()
    batch = padded._prepare_inputs(next(iter(padded.get_train_dataloader())))
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        assert torch.equal(packed.model(**inputs).logits, padded.model(**inputs).logits)


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        ("gemma2", {"head_dim": 8}, "attention caps logits"),
        ("bloom", {}, "its attention is its own"),
        ("qwen3_next", {"num_hidden_layers": 4}, "layers of linear_attention"),
        ("mamba", {}, "layers of linear_attention"),
        ("falcon_h1", {}, "layers of hybrid"),
        ("mixtral", {"num_key_value_heads": 2}, "its router's loss"),
    ],
)
def test_models_that_are_refused(words, kind, changes, said):
    import packing
    from accelerate import init_empty_weights

    config = AutoConfig.for_model(kind, **{**SHAPE, "vocab_size": len(words), **changes})
    with init_empty_weights():
        model = AutoModelForCausalLM.from_config(config)
    packing.check("none", model)
    with pytest.raises(CodeprefError, match=said) as refusal:
        packing.check("prefix", model)
    assert "set packing: none" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_convolutions_are_refused(made):
    import packing

    model = AutoModelForCausalLM.from_pretrained(made("llama"))
    packing.check("rows", model)
    model.model.layers[0].mixer = torch.nn.Conv1d(1, 1, 3)
    with pytest.raises(CodeprefError, match="its convolutions reach over the rows' ends"):
        packing.check("rows", model)


def test_attention_that_asks_for_more_is_refused(made, words, varied, tmp_path, monkeypatch):
    trainer = build(made("llama"), words, varied, tmp_path, "prefix")
    layer = trainer.model.model.layers[1].self_attn
    inner = layer.forward
    monkeypatch.setattr(layer, "forward", lambda *a, **k: inner(*a, **k, s_aux=torch.zeros(4)))
    with pytest.raises(CodeprefError, match="LlamaAttention: attention with s_aux can not be packed"):
        step(trainer)
    monkeypatch.setattr(layer, "forward", lambda hidden_states, **k: (hidden_states, None))
    with pytest.raises(CodeprefError, match="has 2 layers, of which 1 attend as told"):
        step(trainer)
