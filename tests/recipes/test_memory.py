"""The memory estimate: parts that can be counted are counted right, and each remedy it names makes it smaller."""

import ctypes
import subprocess
import sys

import numpy as np
import pytest
import torch
from trl import DPOConfig, ModelConfig


@pytest.fixture(scope="module")
def memory():
    import memory

    return memory


@pytest.fixture(scope="module")
def model():
    from accelerate import init_empty_weights
    from transformers import AutoModelForCausalLM, Qwen2Config

    config = Qwen2Config(
        hidden_size=3584, intermediate_size=18944, num_hidden_layers=28, num_attention_heads=28, num_key_value_heads=4,
        vocab_size=152064,
    )  # fmt: skip
    with init_empty_weights():
        return AutoModelForCausalLM.from_config(config)


def training(**changes):
    return DPOConfig(output_dir="x", use_cpu=True, report_to="none", **{"max_length": 2048, **changes})


QLORA = {"dtype": "bfloat16", "use_peft": True, "load_in_4bit": True, "lora_r": 16}


@pytest.fixture(scope="module")
def guess(memory, model):
    def of(given, args=None, rows=2, reference=False, **changes):
        step = memory.Pass(rows * (args or training()).max_length, rows * 1000, **changes)
        return memory.estimate(model, ModelConfig(**given), args or training(), step, reference, "cuda")

    return of


def test_weights_are_counted(guess):
    full = guess({"dtype": "float32"})
    assert full.parameters == 7_615_616_512  # as published
    assert full.weights == pytest.approx(4 * 7.6156, abs=0.01)
    assert full.trained == pytest.approx(3 * full.weights)  # gradients and two moments
    small = guess(QLORA)
    head = 2 * 152064 * 3584
    assert small.weights == pytest.approx(((full.parameters - head) * 0.53 + head * 2) / 1e9, rel=0.01)


def test_an_adapter_is_as_big_as_peft_makes_it(memory, tiny):
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny)
    args = ModelConfig(dtype="float32", use_peft=True, lora_r=16)
    found = memory.estimate(model, args, training(), memory.Pass(512, 512), False, "cpu")
    adapted = get_peft_model(model, LoraConfig(r=16, target_modules="all-linear"))
    trained = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    assert found.trained * 1e9 == trained * 16


def test_each_remedy_helps(guess):
    half = {"dtype": "bfloat16"}
    base = guess(half, rows=4, reference=True)
    assert guess(half, rows=2, reference=True).total < base.total
    assert guess(half, training(max_length=512), rows=4, reference=True).total < base.total
    assert guess(half, rows=4).total < base.total
    assert guess(QLORA, rows=4).total < base.total / 3
    kept = training(gradient_checkpointing=False)
    assert guess(half, kept, rows=4, reference=True).activations > base.activations


def test_the_line_names_the_parts(guess, memory, tiny):
    found = guess(QLORA)
    assert f"{found.total:.2f} GB" in found.line() or f"{found.total:.1f} GB" in found.line()
    assert "estimated for one unsharded GPU" in found.line()
    parts = (found.weights, found.trained, found.reference, found.activations, found.runtime)
    assert found.total == pytest.approx(sum(parts))


def sizes(memory):
    """Two pairs: prompts of 10 and 30 tokens, sides that begin alike for 12 and 30."""
    return memory.Sizes(np.array([10, 30]), np.array([[20, 25], [60, 50]]), np.array([12, 30]))


@pytest.mark.parametrize(
    ("packing", "tokens", "counted", "mask"),
    [
        ("none", 4 * 60, 10 + 15 + 30 + 20, 4 * 60 * 60),
        ("rows", 20 + 25 + 60 + 50, 10 + 15 + 30 + 20, 0),
        ("prefix", 20 + 25 + 60 + 50 - 12 - 30, 10 + 15 + 30 + 20 - 2, 0),
    ],
)
def test_a_pass_is_counted(memory, packing, tokens, counted, mask):
    args = training(per_device_train_batch_size=2)
    found = memory.largest_pass(sizes(memory), args, packing)
    assert (found.tokens, found.counted, found.mask) == (tokens, counted, mask)
    assert found.scored == {"cpu": tokens if packing == "none" else counted, "cuda": counted}


def test_the_largest_pass_counts(memory):
    one = training(per_device_train_batch_size=1)
    assert memory.largest_pass(sizes(memory), one, "rows").tokens == 110
    assert memory.largest_pass(sizes(memory), one, "rows", budget=55).tokens == 55
    grouped = training(per_device_train_batch_size=1, train_sampling_strategy="group_by_length")
    assert memory.largest_pass(sizes(memory), grouped).tokens == 120


def test_the_tokens_are_those_of_the_packed_row(memory, train, monkeypatch):
    """What is counted from the rows before there is a model is what the packed passes have."""
    import packing
    import recipe

    told, passes = [], []
    announce, lay = recipe.announce, packing.lay
    monkeypatch.setattr(recipe, "announce", lambda *given, **more: told.append(given[3]) or announce(*given, **more))
    monkeypatch.setattr(packing, "lay", lambda *given: passes.append(lay(*given)) or passes[-1])
    for how in ("rows", "prefix"):
        train(
            "dpo",
            packing=how,
            per_device_train_batch_size=12,
            max_length=58,
            max_steps=1,
            precompute_ref_log_probs=True,
        )
        assert told[-1].tokens == passes[-1].ids.numel(), how
        assert told[-1].counted == passes[-1].targets.numel(), how


def saved(model, ids, mask):
    """Bytes that a forward pass keeps for the backward one, weights left out."""
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    found = {}

    def note(tensor):
        found[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        output = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    assert output.requires_grad
    return sum(size for place, size in found.items() if place not in own)


@pytest.mark.parametrize(
    ("settings", "kept"),
    [({}, 0), ({"lora_dropout": 0.0}, 0), ({"lora_dropout": 0.1}, 0), ({"lora_dropout": 0.1}, 1)],
    ids=["full", "LoRA", "LoRA, dropout switched off", "LoRA with dropout"],
)
def test_what_a_layer_keeps_is_counted(memory, settings, kept):
    """One layer more, and autograd keeps as many bytes more as the estimate says."""
    from peft import LoraConfig, get_peft_model
    from transformers import Qwen2Config, Qwen2ForCausalLM
    from trl import SFTConfig

    shape = {"hidden_size": 64, "intermediate_size": 192, "num_attention_heads": 4, "num_key_value_heads": 2}
    kind = SFTConfig if kept else DPOConfig
    args = kind(output_dir="x", use_cpu=True, report_to="none", bf16=False, gradient_checkpointing=False)
    model_args = ModelConfig(dtype="float32", use_peft=bool(settings), lora_r=8, **settings)
    ids, mask = torch.ones(4, 100, dtype=torch.long), torch.ones(4, 100, dtype=torch.long)
    mask[0, 50:] = 0
    step = memory.Pass(400, 400, mask=4 * 100 * 100)
    estimated, counted = [], []
    for layers in (1, 2):
        model = Qwen2ForCausalLM(Qwen2Config(vocab_size=50, num_hidden_layers=layers, **shape))
        estimated.append(memory.estimate(model, model_args, args, step, False, "cpu").activations * 1e9)
        if settings:
            lora = LoraConfig(r=8, target_modules="all-linear", lora_dropout=settings["lora_dropout"] * kept)
            model = get_peft_model(model, lora)
        counted.append(saved(model, ids, mask))
    assert estimated[1] - estimated[0] == pytest.approx(counted[1] - counted[0], rel=0.03)


HEAP = """
import ctypes, sys
sys.path.insert(0, "recipes")
if sys.argv[1] == "returned":
    from memory import return_freed_memory
    return_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
def block(size):
    found = libc.malloc(size)
    ctypes.memset(found, 1, size)
    return found
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6
libc.free(block(16 << 20))        # from here on glibc puts blocks up to this size into the heap
before = resident()
large = []
for _ in range(40):
    large.append(block(4 << 20))
    block(1 << 12)                # what stays, and holds the heap up
for found in large[:-1]:
    libc.free(found)
more = [block(5 << 20) for _ in range(8)]
print(resident() - before)
"""


def test_freed_memory_goes_back(root):
    def grown(way):
        words = [sys.executable, "-c", HEAP, way]
        return float(subprocess.run(words, cwd=root, capture_output=True, text=True, check=True, timeout=120).stdout)

    if not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"):
        pytest.skip("only glibc is told to")
    assert grown("returned") < 60 < 150 < grown("as it is")
