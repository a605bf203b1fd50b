"""The model before its weights are loaded: folders and Hub ids, names of adapted modules."""

import json

import pytest
from trl import ModelConfig

from codepref.errors import CodeprefError


@pytest.fixture(scope="module")
def models():
    import models

    return models


@pytest.fixture(scope="module")
def model(models, tiny):
    return models.skeleton(str(tiny), None)


def test_a_path_is_never_looked_up_on_the_hub(models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "base").mkdir(parents=True)
    assert models.located("runs/base")
    assert not models.located("Qwen/Qwen2.5-Coder-7B")
    assert not models.located("gpt2")
    for name in ("runs/absent", "./absent", "/absent", "~/base", "a/b/c"):
        with pytest.raises(CodeprefError, match="no such folder"):
            models.located(name)


def adapted(models, model, **changes):
    return models.adapter(ModelConfig(use_peft=True, **changes), model)


@pytest.mark.parametrize("names", [["q_proj"], ["q_proj", "down_proj"], ["self_attn.q_proj"]])
def test_names_of_modules(models, model, names):
    assert set(adapted(models, model, lora_target_modules=names).target_modules) == set(names)


def test_patterns_and_all_linear(models, model):
    assert adapted(models, model, lora_target_modules=["all-linear"]).target_modules == "all-linear"
    assert adapted(models, model, lora_target_modules=[r".*\.q_proj"]).target_modules == r".*\.q_proj"
    assert models.adapter(ModelConfig(), model) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"lora_target_modules": ["q_proj", "k_prj"]},
            "no module is called 'k_prj'; did you mean 'k_proj'.*this model has",
        ),
        ({"lora_target_modules": ["Wqkv"]}, "no module is called 'Wqkv'; this model has .*embed_tokens"),
        ({"lora_target_modules": [r".*\.Wqkv"]}, "no module matches"),
        ({"lora_target_modules": ["*.q_proj"]}, "is no pattern"),
        (
            {"lora_target_modules": ["q_proj"], "lora_modules_to_save": ["score"]},
            "lora_modules_to_save: no module is called",
        ),
    ],
)
def test_names_that_no_module_has(models, model, changes, said):
    with pytest.raises(CodeprefError, match=said):
        adapted(models, model, **changes)


def test_one_name_trains(train, lora, tmp_path):
    train("dpo", **{**lora, "lora_target_modules": ["q_proj"]}, max_steps=1)
    assert json.loads((tmp_path / "out" / "adapter_config.json").read_text())["target_modules"] == ["q_proj"]


def test_a_relative_base_is_kept_as_a_whole_path(train, lora, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tiny.parent)
    train("dpo", **lora, model_name_or_path=f"./{tiny.name}", max_steps=1)
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(tiny.resolve())
