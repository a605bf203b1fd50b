"""Merged models say what adapter and base said."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from codepref.errors import CodeprefError


@pytest.fixture
def adapter(train, qlora, tmp_path):
    # single precision in the 4-bit layers, so that what is left over is the merge and not rounding
    train("dpo", **{**qlora, "dtype": "float32", "bf16": False}, max_steps=6, learning_rate=2e-2, chosen_guard="off")
    return tmp_path / "out"


def logits(model, words):
    # in eval mode bitsandbytes takes another, less exact way through 4-bit layers on CPUs
    with torch.no_grad():
        return model.train()(**words("def total(xs):\n    return sum(xs)\n", return_tensors="pt")).logits


def test_merged_into_the_trained_weights_equals_the_adapter_on_them(adapter, tiny, words, tmp_path):
    import merge
    from peft import PeftModel

    four = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
    )
    base = AutoModelForCausalLM.from_pretrained(tiny, quantization_config=four, dtype=torch.float32)
    expected = logits(PeftModel.from_pretrained(base, adapter), words)
    distance = {}
    for into in ("trained", "original"):
        out = merge.main([str(adapter), "--out", str(tmp_path / into), "--dtype", "float32", "--into", into])
        distance[into] = (logits(AutoModelForCausalLM.from_pretrained(out), words) - expected).abs().max().item()
        manifest = json.loads((out / "manifest.json").read_text())
        assert manifest["merged"]["dtype"] == "float32"
        card = " ".join((out / "README.md").read_text().split())
        assert "stored in float32" in card
        assert ("4-bit weights it was trained on" in card) == (into == "trained")
        assert "library_name: transformers" in card
    assert distance["trained"] < 1e-4
    assert distance["original"] > 1e-2


def test_what_is_no_adapter_is_refused(tmp_path):
    import merge

    with pytest.raises(CodeprefError, match="not an adapter that a recipe wrote"):
        merge.main([str(tmp_path), "--out", str(tmp_path / "merged")])
