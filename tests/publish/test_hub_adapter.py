"""A base model, an adapter and its scores live on the Hub; the training stack loads them from there by tag."""

import pytest

from codepref import cli

import releases  # isort: skip

pytest_plugins = ["hub_double.fixtures"]
CARD = "---\nlicense: apache-2.0\n---\n\n# Tiny\n\nMade for a test.\n"


def test_a_published_adapter_is_loaded_on_its_published_base(remote, tmp_path):
    torch = pytest.importorskip("torch", reason="pip install 'codepref[train]'")
    from peft import AutoPeftModelForCausalLM, LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    shape = LlamaConfig(vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2)
    base = LlamaForCausalLM(shape)
    base.save_pretrained(tmp_path / "base")
    (tmp_path / "base" / "README.md").write_text(CARD)
    assert cli.main(["publish", "model", str(tmp_path / "base"), "--repo", "org/base"]) == 0

    adapted = get_peft_model(base, LoraConfig(target_modules="all-linear", r=2, init_lora_weights=False))
    adapted.peft_config["default"].base_model_name_or_path = "org/base"
    folder = releases.adapter(tmp_path / "adapter")
    adapted.save_pretrained(folder)
    (folder / "README.md").write_text(releases.MODEL_CARD)  # peft puts its own card there
    results = releases.results(tmp_path / "results.json", adapter=str(folder))
    words = ["publish", "model", str(folder), "--repo", "org/adapter", "--tag", "v1", "--results", str(results)]
    assert cli.main(words) == 0

    loaded = AutoPeftModelForCausalLM.from_pretrained("org/adapter", revision="v1")
    ids = torch.arange(8).unsqueeze(0)
    with torch.no_grad():
        assert torch.equal(loaded(ids).logits, adapted(ids).logits)


def test_a_training_run_knows_commit_and_licence_of_its_base(remote, tmp_path, root, monkeypatch):
    pytest.importorskip("trl", reason="pip install 'codepref[train]'")
    monkeypatch.syspath_prepend(str(root / "recipes"))
    import models

    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "README.md").write_text(CARD)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"\x02\x00\x00\x00\x00\x00\x00\x00{}")
    assert cli.main(["publish", "model", str(folder), "--repo", "org/base", "--tag", "v1"]) == 0
    commit = models.commit("org/base", "v1")
    assert len(commit) == 40
    assert int(commit, 16)
    assert models.licence("org/base", "v1") == ("apache-2.0", None)
