"""The card of a trained model, from the manifest of its run."""

import json
from collections.abc import Mapping
from typing import Any

from codepref import templates
from codepref.publish.cards import code_block

CURVE = "figures/training.png"
"""The training curve, in the folder of a model."""
OWN = "@software{codepref, title = {codepref: preference datasets for code models, built by running code}}"


def model_card(manifest: Mapping[str, Any]) -> str:
    """The model card, YAML front matter included.

    Args:
        manifest: What a recipe wrote: method with summary and citation, base, dataset, config, checks, versions,
            hardware, result; `merged` once the adapter is part of the weights.
    """
    environment = templates.environment()
    environment.filters["json"] = lambda value: json.dumps(value, indent=2, sort_keys=True)
    environment.filters["code_block"] = code_block
    method, checks = manifest["method"], manifest["checks"]
    base, dataset = manifest["base"], manifest["dataset"]
    values = {
        "front": _front_matter(manifest),
        "name": f"{_last(base['name'])}, {method.replace('_', ' ')} on {_last(dataset['name'])}",
        "what": _what(manifest),
        "loading": _loading(manifest),
        "run": {"merged": None, "resumed": (), **manifest, "result": {"guard": None, **manifest["result"]}},
        "dataset": f"`{dataset['name']}`" + (" (local to the machine it was trained on)" if dataset["local"] else ""),
        "curve": CURVE if manifest["result"].get("curve") else None,
        "licence": base.get("licence_name") or base.get("licence"),
        "lengths": checks.get("lengths"),
        "others": {key: value for key, value in checks.items() if key != "lengths" and isinstance(value, dict)},
        "method": manifest.get("summary", ""),
        "versions": manifest["versions"],
        "citation": "\n".join(filter(None, [manifest.get("citation"), OWN])),
    }
    return environment.get_template("model.md.jinja").render(values).rstrip() + "\n"


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _what(manifest: Mapping[str, Any]) -> str:
    kind = "A LoRA adapter for" if manifest["adapter"] and not manifest.get("merged") else "A fine-tuned"
    revision = manifest["base"]["revision"]
    at = f" at revision `{revision}`" if revision else ""
    return f"{kind} `{manifest['base']['name']}`{at}, trained with codepref {manifest['versions']['codepref']}."


def _loading(manifest: Mapping[str, Any]) -> str:
    base = manifest["base"]
    if not manifest["adapter"] or manifest.get("merged"):
        return (
            "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
            'model = AutoModelForCausalLM.from_pretrained("PATH_OR_HUB_ID", dtype="auto")\n'
            'tokenizer = AutoTokenizer.from_pretrained("PATH_OR_HUB_ID")'
        )
    bits = ""
    if base["load_in_4bit"]:
        bits = (
            ',\n    quantization_config=BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", '
            + ("bnb_4bit_use_double_quant=True, " if manifest["config"].get("use_bnb_nested_quant") else "")
            + "bnb_4bit_compute_dtype=torch.bfloat16)"
        )
    revision = f', revision="{base["revision"]}"' if base["revision"] else ""
    arguments = f'"{base["name"]}"{revision}, dtype="{base["dtype"]}"{bits}'
    return (
        ("import torch\n" if bits else "")
        + "from peft import PeftModel\n"
        + f"from transformers import AutoModelForCausalLM{', BitsAndBytesConfig' if bits else ''}\n\n"
        + f"base = AutoModelForCausalLM.from_pretrained(\n    {arguments}\n)\n"
        + 'model = PeftModel.from_pretrained(base, "PATH_OR_HUB_ID")'
    )


def _front_matter(manifest: Mapping[str, Any]) -> str:
    from huggingface_hub import ModelCardData

    base, dataset = manifest["base"], manifest["dataset"]
    whole = not manifest["adapter"] or bool(manifest.get("merged"))
    data = ModelCardData(
        base_model=None if base["local"] else base["name"],
        datasets=None if dataset["local"] else [dataset["name"]],
        license=base.get("licence"),
        license_name=base.get("licence_name"),
        library_name="transformers" if whole else "peft",
        pipeline_tag="text-generation",
        tags=["code", "codepref", manifest["method"].replace("_", "-")],
    )
    return str(data.to_yaml())
