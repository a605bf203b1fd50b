"""The card of a trained model, from the manifest of its run."""

import json
from collections.abc import Mapping
from typing import Any

import jinja2

from codepref.cards import TEMPLATES, code_block

WORDS = {
    "dpo": "Direct preference optimisation: the chosen code of each pair against the rejected one; `sft` among the "
    "losses is an NLL term on the chosen code.",
    "focal_dpo": "Focal DPO: as DPO, but of the rejected code only the tokens in focus count. Logged rewards and "
    "log-probabilities are over those tokens.",
    "kto": "Kahneman-Tversky optimisation: each code alone, desirable or undesirable, against the reference.",
    "sft": "Supervised fine-tuning on the chosen codes; the loss counts completion tokens only.",
}
CITATIONS = {
    "dpo": ("2305.18290", "Direct Preference Optimization: Your Language Model is Secretly a Reward Model", 2023),
    "focal_dpo": ("2503.02783", "Teaching Your Models to Understand Code via Focal Preference Alignment", 2025),
    "kto": ("2402.01306", "KTO: Model Alignment as Prospect Theoretic Optimization", 2024),
}
CURVE = "figures/training.png"
"""The training curve, in the folder of a model."""
OWN = "@software{codepref, title = {codepref: preference datasets for code models, built by running code}}"


def model_card(manifest: Mapping[str, Any]) -> str:
    """The model card, YAML front matter included.

    Args:
        manifest: What a recipe wrote: method, base, dataset, config, checks, versions, hardware, result; `merged` once
            the adapter is part of the weights.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
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
        "method": WORDS[method],
        "versions": manifest["versions"],
        "citation": _citation(method),
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


def _citation(method: str) -> str:
    if method not in CITATIONS:
        return OWN
    arxiv, title, year = CITATIONS[method]
    fields = f"title = {{{title}}}, year = {{{year}}}, eprint = {{{arxiv}}}, archivePrefix = {{arXiv}}"
    return f"@misc{{{method}, {fields}}}\n{OWN}"
