import pytest
import yaml

from codepref.publish.modelcard import model_card

LENGTHS = {
    "rows": 1200, "kept": 1190, "dropped": 10, "cut": 3, "max_length": 2048,
    "tokens": {"median": 400, "95 %": 900, "longest": 2100},
}  # fmt: skip


def manifest(**changes):
    return {
        "method": "focal_dpo",
        "summary": "Only the tokens in focus count.",
        "citation": "@misc{focal_dpo, eprint = {2503.02783}}",
        "base": {
            "name": "Qwen/Qwen2.5-Coder-7B", "local": False, "revision": "0123abc", "load_in_4bit": True, "dtype": "bfloat16",
        },
        "adapter": True,
        "dataset": {
            "name": "someone/pairs", "tag": "v1.0", "revision": "fed987", "config": None, "local": False,
            "method": "codeflow", "manifest_sha256": "ab" * 32,
        },
        "config": {"learning_rate": 1e-5, "beta": 0.1, "use_bnb_nested_quant": True},
        "checks": {"lengths": LENGTHS, "pairs dropped": {"without focal tokens": 4}, "warnings": ["a warning"]},
        "versions": {"codepref": "0.1.0", "trl": "1.16.0"},
        "hardware": {"device": "NVIDIA H200", "processes": 2},
        "result": {"steps": 438, "curve": {"loss": [[1, 0.7], [2, 0.5]]}},
        **changes,
    }  # fmt: skip


def front(card):
    return yaml.safe_load(card.split("---")[1])


def test_an_adapter_names_base_dataset_and_tag():
    card = model_card(manifest())
    assert front(card)["base_model"] == "Qwen/Qwen2.5-Coder-7B"
    assert front(card)["datasets"] == ["someone/pairs"]
    assert front(card)["library_name"] == "peft"
    flat = " ".join(card.split())
    for said in (
        '"Qwen/Qwen2.5-Coder-7B", revision="0123abc", dtype="bfloat16"', "bnb_4bit_use_double_quant=True", "| tag | `v1.0` |",
        "| revision | `fed987` |", f"`{'ab' * 32}`", "1,190 of 1,200; 10 dropped, 3 cut at 2048 tokens", "- a warning",
        "438 steps on 2 x NVIDIA H200", "without focal tokens 4", "2503.02783", "codepref train --merge",
    ):  # fmt: skip
        assert said in flat, said
    assert "](figures/training.png)" in card
    compile(card.split("```python\n")[1].split("```")[0], "card", "exec")
    assert "None" not in card
    assert "[More Information Needed]" not in card


def test_a_known_licence_stands_in_card_and_front_matter():
    known = manifest()
    known["base"]["licence"] = "apache-2.0"
    assert front(model_card(known))["license"] == "apache-2.0"
    assert "applies (apache-2.0)" in model_card(known)
    assert "license" not in front(model_card(manifest()))


def test_a_licence_that_the_hub_does_not_list_has_a_name():
    known = manifest()
    known["base"] |= {"licence": "other", "licence_name": "acme-research"}
    assert front(model_card(known))["license"] == "other"
    assert front(model_card(known))["license_name"] == "acme-research"
    assert "applies (acme-research)" in model_card(known)


def test_a_merged_model_names_weights_and_precision():
    card = model_card(manifest(merged={"into": "the base as it was published,", "dtype": "bfloat16"}))
    assert front(card)["library_name"] == "transformers"
    assert "added to the base as it was published, and the sum is stored in bfloat16" in " ".join(card.split())
    assert "PeftModel" not in card


def test_local_names_are_no_hub_ids():
    base = {"name": "tiny", "local": True, "revision": None, "load_in_4bit": False, "dtype": "float32"}
    dataset = {"name": "quickstart", "local": True, "config": None}
    card = model_card(manifest(method="kto", base=base, dataset=dataset))
    assert "base_model" not in front(card)
    assert "datasets" not in front(card)
    assert "BitsAndBytes" not in card
    assert "None" not in card


@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_every_method_has_words(method):
    result = {"steps": 3, "guard": "step 2: chosen code has lost 1.00 nats a token"}
    card = model_card(manifest(method=method, result=result))
    assert method.replace("_", " ") in card.splitlines()[card.splitlines().index("---", 1) + 2]
    assert "step 2: chosen code has lost 1.00 nats a token" in card
