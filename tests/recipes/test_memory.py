"""The memory estimate: parts that can be counted are counted right, and each remedy it names makes it smaller."""

import dataclasses

import pytest
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


def test_weights_are_counted(memory, model):
    full = memory.estimate(model, ModelConfig(dtype="float32"), training(), rows=2, reference=False)
    assert full.parameters == 7_615_616_512  # as published
    assert full.weights == pytest.approx(4 * 7.6156, abs=0.01)
    assert full.trained == pytest.approx(3 * full.weights)  # gradients and two moments
    small = memory.estimate(model, ModelConfig(**QLORA), training(), rows=2, reference=False)
    head = 2 * 152064 * 3584
    assert small.weights == pytest.approx(((full.parameters - head) * 0.53 + head * 2) / 1e9, rel=0.01)


def test_an_adapter_is_as_big_as_peft_makes_it(memory, tiny):
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny)
    found = memory.estimate(model, ModelConfig(dtype="float32", use_peft=True, lora_r=16), training(), 2, False)
    adapted = get_peft_model(model, LoraConfig(r=16, target_modules="all-linear"))
    trained = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    assert found.trained * 1e9 == trained * 16


def test_each_remedy_helps(memory, model):
    base = memory.estimate(model, ModelConfig(dtype="bfloat16"), training(), 4, reference=True)
    assert memory.estimate(model, ModelConfig(dtype="bfloat16"), training(), 2, True).total < base.total
    assert memory.estimate(model, ModelConfig(dtype="bfloat16"), training(max_length=512), 4, True).total < base.total
    assert memory.estimate(model, ModelConfig(dtype="bfloat16"), training(), 4, False).total < base.total
    assert memory.estimate(model, ModelConfig(**QLORA), training(), 4, False).total < base.total / 3
    kept = training(gradient_checkpointing=False)
    assert memory.estimate(model, ModelConfig(dtype="bfloat16"), kept, 4, True).activations > base.activations


def test_the_line_names_the_parts(memory, model):
    found = memory.estimate(model, ModelConfig(**QLORA), training(), 2, False)
    assert f"{found.total:.1f} GB" in found.line()
    assert "estimated" in found.line()
    assert dataclasses.asdict(found)["total"] == found.total
