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


@pytest.fixture
def tied(tiny, words, tmp_path):
    """The tiny checkpoint with one matrix for embedding and head."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig.from_pretrained(tiny)
    config.tie_word_embeddings = True
    LlamaForCausalLM(config).save_pretrained(tmp_path / "tied")
    words.save_pretrained(tmp_path / "tied")
    return tmp_path / "tied"


@pytest.fixture
def embedding_adapter(train, lora, tied, tmp_path):
    keys = {**lora, "lora_target_modules": ["q_proj", "embed_tokens"]}
    train("dpo", **keys, model_name_or_path=str(tied), max_steps=4, learning_rate=0.1, chosen_guard="off")
    return tmp_path / "out"


def test_an_adapted_embedding_leaves_a_tied_head_as_it_was(embedding_adapter, tied, words, tmp_path, capsys):
    import merge
    from peft import PeftModel

    base = AutoModelForCausalLM.from_pretrained(tied, dtype=torch.float32)
    expected = logits(PeftModel.from_pretrained(base, embedding_adapter), words)
    out = merge.main([str(embedding_adapter), "--out", str(tmp_path / "merged"), "--dtype", "float32"])
    assert (logits(AutoModelForCausalLM.from_pretrained(out), words) - expected).abs().max() < 1e-4
    assert "probe: logits of the merged model lie" in capsys.readouterr().out


def test_a_merge_that_answers_otherwise_is_not_written(embedding_adapter, tmp_path, monkeypatch):
    import merge

    monkeypatch.setattr(merge, "_untie", lambda adapted: None)
    for dtype in merge.DTYPES:
        with pytest.raises(CodeprefError, match="the merged model answers otherwise than adapter and base"):
            merge.main([str(embedding_adapter), "--out", str(tmp_path / "merged"), "--dtype", dtype])
    assert not (tmp_path / "merged").exists()


def test_a_base_that_was_a_folder_is_not_asked_of_the_hub(embedding_adapter, tied, tmp_path, monkeypatch):
    import merge

    config = json.loads((embedding_adapter / "adapter_config.json").read_text())
    (embedding_adapter / "adapter_config.json").write_text(
        json.dumps({**config, "base_model_name_or_path": "runs/tied"})
    )
    asked = []
    monkeypatch.setattr(merge, "AutoModelForCausalLM", asked)
    with pytest.raises(CodeprefError, match="its base was the folder runs/tied, which is not here; give --base DIR"):
        merge.main([str(embedding_adapter), "--out", str(tmp_path / "merged")])
    monkeypatch.undo()
    words = ["--out", str(tmp_path / "merged"), "--dtype", "float32", "--base", str(tied)]
    assert (merge.main([str(embedding_adapter), *words]) / "model.safetensors").is_file()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_4_bit_base_is_read_in_the_dtype_it_was_trained_in(adapter, tmp_path, monkeypatch, dtype):
    import merge

    manifest = json.loads((adapter / "manifest.json").read_text())
    manifest["base"]["dtype"] = dtype
    (adapter / "manifest.json").write_text(json.dumps(manifest))
    read = []
    plain = AutoModelForCausalLM.from_pretrained

    def recorded(name, **options):
        read.append(options["dtype"])
        return plain(name, **options)

    monkeypatch.setattr(merge.AutoModelForCausalLM, "from_pretrained", recorded)
    merge.main([str(adapter), "--out", str(tmp_path / "merged"), "--dtype", "float16"])
    assert read == [getattr(torch, dtype)]
