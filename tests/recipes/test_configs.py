"""Every YAML file under recipes/ is what its reader takes."""

from importlib import import_module
from pathlib import Path

import pytest
import yaml

RECIPES = Path(__file__).resolve().parent.parent.parent / "recipes"
LAUNCHES = sorted((RECIPES / "accelerate").glob("*.yaml"))
CONFIGS = sorted(path for path in RECIPES.glob("*/*.yaml") if path not in LAUNCHES)
MODELS = {
    "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b", "qwen2.5-coder-7b", "qwen2.5-coder-14b", "qwen2.5-coder-32b",
    "deepseek-coder-1.3b", "deepseek-coder-6.7b", "starcoder2-7b", "starcoder2-15b", "magicoder-s-ds-6.7b", "phi-2",
    "codeqwen1.5-7b-chat",
}  # fmt: skip


def method_of(path):
    return path.stem.removesuffix("_qlora").removesuffix("_lora")


@pytest.fixture(scope="module")
def kinds():
    import arguments
    from data import DataArguments
    from trl import DPOConfig, KTOConfig, SFTConfig

    return {
        "sft": (DataArguments, SFTConfig),
        "dpo": (arguments.PairArguments, DPOConfig),
        "kto": (arguments.PreferenceArguments, KTOConfig),
        "focal_dpo": (import_module("focal_dpo").Arguments, DPOConfig),
    }


def test_each_model_has_its_recipes():
    assert {path.parent.name for path in CONFIGS} == MODELS | {"tiny", "small"}
    assert {path.stem for path in CONFIGS if path.parent.name == "small"} == {
        "sft_lora", "dpo_lora", "kto_lora", "focal_dpo_lora",
    }  # fmt: skip
    for folder in MODELS | {"tiny"}:
        names = {path.stem for path in CONFIGS if path.parent.name == folder}
        assert names >= {"sft_qlora", "dpo_qlora", "kto_qlora", "focal_dpo_qlora"}, folder


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_parser_takes_it(kinds, path):
    import arguments

    # what a machine without a GPU refuses is not a fault of the file
    script, args, model = arguments.parse(*kinds[method_of(path)], ["--config", str(path), "--use_cpu", "true"])
    values = yaml.safe_load(path.read_text())
    for key, value in values.items():
        holder = next(part for part in (script, args, model) if hasattr(part, key))
        if key not in ("report_to", "lora_target_modules"):
            assert getattr(holder, key) == value or getattr(getattr(holder, key), "value", None) == value, key
    assert path.stem.endswith("_qlora") == model.load_in_4bit
    assert path.stem.endswith(("_qlora", "_lora")) == model.use_peft
    assert not model.load_in_4bit or model.dtype == "bfloat16"  # 4-bit weights are computed in `dtype`
    assert args.learning_rate < 1e-3 or path.parent.name == "tiny"
    assert method_of(path) in args.output_dir.replace("-", "_")
    if method_of(path) == "kto":
        assert args.per_device_train_batch_size >= 2


@pytest.mark.parametrize(
    "path", [p for p in CONFIGS if p.parent.name != "tiny"], ids=lambda p: f"{p.parent.name}/{p.stem}"
)
def test_every_value_names_its_source(path):
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            key = line.partition(":")[0]
            stated = "paper" in line.partition(" # ")[2] or "ours" in line.partition(" # ")[2]
            assert stated or key in {"model_name_or_path", "chat", "prompt_template"}, line
    head = path.read_text().splitlines()[:5]
    assert any(f"--config recipes/{path.parent.name}/{path.name}" in line for line in head)
    assert "GB" in " ".join(head)


@pytest.mark.parametrize("path", LAUNCHES, ids=lambda path: path.stem)
def test_accelerate_takes_it(path):
    from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file

    config = load_config_from_file(str(path))
    assert isinstance(config, ClusterConfig)
    known = set(ClusterConfig.__dataclass_fields__)
    assert set(yaml.safe_load(path.read_text())) <= known
    if config.fsdp_config:
        assert config.fsdp_config["fsdp_version"] == 2
        assert not {"fsdp_sharding_strategy", "fsdp_use_orig_params", "fsdp_sync_module_states"} & set(
            config.fsdp_config
        )


def test_the_named_accelerate_files_are_there():
    assert {path.stem for path in LAUNCHES} >= {
        "single_gpu", "multi_gpu", "fsdp2", "fsdp2_qlora", "zero2", "zero3", "multi_node",
    }  # fmt: skip


def test_scripts_are_short_and_open_with_their_command():
    for method in ("sft", "dpo", "kto", "focal_dpo"):
        lines = (RECIPES / f"{method}.py").read_text().splitlines()
        assert len(lines) < 120
        assert any(line.startswith(f"accelerate launch recipes/{method}.py --config ") for line in lines[:5])
