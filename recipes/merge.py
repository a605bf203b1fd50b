"""Makes a whole model of an adapter. Usually run as `codepref train --merge ADAPTER --out DIR`.

python recipes/merge.py runs/tiny-dpo --out runs/tiny-merged

A QLoRA adapter was trained on 4-bit weights. `--into trained` (the default) adds it to those weights, widened to
`dtype`, so the merged model says what adapter and 4-bit base said together; `--into original` adds it to the weights as
they were published. Neither is quantised afterwards. The card names which, and the precision.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import recipe
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, PreTrainedModel

from codepref.errors import CodeprefError

DTYPES = ("bfloat16", "float16", "float32")


def main(argv: Sequence[str] | None = None) -> Path:
    """Merges and saves; returns the folder."""
    parser = argparse.ArgumentParser(description="Make a whole model of an adapter.")
    parser.add_argument("adapter", type=Path, help="folder that a recipe wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder of the merged model")
    parser.add_argument("--dtype", choices=DTYPES, default="bfloat16", help="precision of the merged weights")
    parser.add_argument("--into", choices=("trained", "original"), default="trained", help="weights to merge into")
    given = parser.parse_args(argv)
    merge(given.adapter, given.out, given.dtype, given.into)
    print(f"saved: {given.out} ({given.dtype}, merged into the {given.into} weights)")
    return Path(given.out)


def merge(adapter: Path, out: Path, dtype: str, into: str) -> None:
    """Writes base + adapter in `dtype` to a folder, with manifest and card.

    Raises:
        CodeprefError: the folder is no adapter of a recipe, or its base can not be read.
    """
    try:
        manifest = json.loads((adapter / "manifest.json").read_text(encoding="utf-8"))
        config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CodeprefError(f"{adapter}: not an adapter that a recipe wrote ({error})") from None
    quantised = into == "trained" and manifest["base"]["load_in_4bit"]
    try:
        base = _base(config, manifest["config"] if quantised else {}, dtype)
    except (OSError, ValueError) as error:
        said = str(error).partition("\n")[0]
        raise CodeprefError(f"{config['base_model_name_or_path']}: {said}; the base of {adapter} is needed") from None
    model = PeftModel.from_pretrained(base, adapter).merge_and_unload().to(getattr(torch, dtype))
    model.save_pretrained(out)
    AutoTokenizer.from_pretrained(adapter).save_pretrained(out)
    weights = "the 4-bit weights it was trained on, widened again," if quantised else "the base as it was published,"
    recipe.write(out, {**manifest, "merged": {"into": weights, "dtype": dtype}})


def _base(config: dict[str, Any], trained: dict[str, Any], dtype: str) -> PreTrainedModel:
    """The base at its recorded revision; with the quantisation of the training, undone again, when there is one."""
    quantisation = None
    if trained:
        quantisation = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=trained.get("bnb_4bit_quant_type", "nf4"),
            bnb_4bit_use_double_quant=trained.get("use_bnb_nested_quant", False),
            bnb_4bit_compute_dtype=getattr(torch, dtype),
        )
    base = AutoModelForCausalLM.from_pretrained(
        config["base_model_name_or_path"],
        revision=config.get("revision") or "main",
        dtype=getattr(torch, trained.get("dtype", dtype) if trained else dtype),
        quantization_config=quantisation,
    )
    return base.dequantize() if quantisation is not None else base


if __name__ == "__main__":
    recipe.launched(main)
