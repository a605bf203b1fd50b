"""Makes a whole model of an adapter. Usually run as `codepref train --merge ADAPTER --out DIR`.

python recipes/merge.py runs/tiny-dpo --out runs/tiny-merged

A QLoRA adapter was trained on 4-bit weights. `--into trained` (the default) adds it to those weights, widened to
`dtype`, so the merged model says what adapter and 4-bit base said together; `--into original` adds it to the weights as
they were published. Neither is quantised afterwards. The card names which, and the precision.

Before anything is written, the merged model is asked the same as adapter and base, and has to answer the same.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import models
import program
import recipe
import torch
from peft import PeftModel
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from codepref import reach
from codepref.errors import CodeprefError

DTYPES = ("bfloat16", "float16", "float32")
PROBE = "def total(xs):\n    result = 0\n    for x in xs:\n        result += x\n    return result\n\n\n# Sort words.\n"
"""What the adapter and the merged model are both asked."""
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.15, "float16": 0.03}
"""How far their logits may lie apart, as a share of the logits' own spread: the sum of weights is rounded once more."""


def main(argv: Sequence[str] | None = None) -> Path:
    """Merges and saves; returns the folder."""
    parser = argparse.ArgumentParser(description="Make a whole model of an adapter.")
    parser.add_argument("adapter", type=Path, help="folder that a recipe wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder of the merged model")
    parser.add_argument("--dtype", choices=DTYPES, default="bfloat16", help="precision of the merged weights")
    parser.add_argument("--into", choices=("trained", "original"), default="trained", help="weights to merge into")
    parser.add_argument("--base", help="where the base is now: a folder or a Hub id (as in the adapter)")
    given = parser.parse_args(argv)
    merge(given.adapter, given.out, given.dtype, given.into, given.base)
    print(f"saved: {given.out} ({given.dtype}, merged into the {given.into} weights)")
    return Path(given.out)


def merge(adapter: Path, out: Path, dtype: str, into: str, base: str | None = None) -> None:
    """Writes base + adapter in `dtype` to a folder, with manifest and card.

    Raises:
        CodeprefError: the folder is no adapter of a recipe, its base can not be read, or the merged model answers
            otherwise than the adapter. Nothing is written then.
    """
    try:
        manifest = json.loads((adapter / "manifest.json").read_text(encoding="utf-8"))
        config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CodeprefError(f"{adapter}: not an adapter that a recipe wrote ({error})") from None
    name = base or located_base(adapter, config["base_model_name_or_path"], manifest["base"]["local"])
    quantised = into == "trained" and manifest["base"]["load_in_4bit"]
    try:
        with reach.quick_to_fail(name):
            model = _base(name, config.get("revision"), manifest if quantised else None, dtype)
        words = AutoTokenizer.from_pretrained(adapter)
        adapted = PeftModel.from_pretrained(model, adapter)
    except (OSError, ValueError, RuntimeError) as error:
        said = str(error).partition("\n")[0]
        raise CodeprefError(f"{name}: {said}; the base of {adapter} is needed, give --base if it has moved") from None
    merged = merged_like(adapted, words, dtype)
    merged.save_pretrained(out)
    words.save_pretrained(out)
    weights = "the 4-bit weights it was trained on, widened again," if quantised else "the base as it was published,"
    recipe.write(out, {**manifest, "merged": {"into": weights, "dtype": dtype}})


def located_base(adapter: Path, name: str, local: bool) -> str:
    """The folder or Hub id of an adapter's base. A folder is not looked up on the Hub, though its path look like an id.

    Raises:
        CodeprefError: it was a folder, and is not here.
    """
    if local and not Path(name).is_dir():
        raise CodeprefError(
            f"{adapter}: its base was the folder {name}, which is not here; give --base DIR, where that model is now"
        )
    return name


def merged_like(adapted: PeftModel, words: PreTrainedTokenizerBase, dtype: str) -> PreTrainedModel:
    """The merged model in `dtype`, which answers the probe as the adapter does.

    Raises:
        CodeprefError: it does not.
    """
    expected = _logits(adapted, words)
    _untie(adapted)
    merged = adapted.merge_and_unload().to(getattr(torch, dtype))
    found = _logits(merged, words)
    distance = ((found - expected).square().mean().sqrt() / expected.std()).item()
    if not distance <= TOLERANCE[dtype]:  # NaN is not
        raise CodeprefError(
            f"the merged model answers otherwise than adapter and base: its logits are {distance:.2g} of their spread "
            f"away (up to {TOLERANCE[dtype]:g} is rounding in {dtype}); nothing was written. Try --dtype float32, or "
            "use the adapter as it is"
        )
    print(f"probe: logits of the merged model lie {distance:.2g} of their spread from the adapter's")
    return merged


def _untie(adapted: PeftModel) -> None:
    """Gives the head weights of its own where it shares the embedding's and the adapter changes one of them alone."""
    model = adapted.get_base_model()
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    inner = [getattr(layer, "base_layer", layer) for layer in (head, embedding)]
    if head is None or inner[0].weight is not inner[1].weight:
        return
    if any(hasattr(layer, "lora_A") or hasattr(layer, "lora_embedding_A") for layer in (head, embedding)):
        inner[0].weight = torch.nn.Parameter(inner[1].weight.detach().clone())
        model.config.tie_word_embeddings = False


def _logits(model: Any, words: PreTrainedTokenizerBase) -> torch.Tensor:
    model.eval()
    with torch.no_grad():
        asked = words(PROBE, return_tensors="pt", return_token_type_ids=False).to(model.device)
        return model(**asked).logits.float()


def _base(name: str, revision: str | None, trained: dict[str, Any] | None, dtype: str) -> PreTrainedModel:
    """The base at its recorded revision; with the quantisation of the training, undone again, when there is one."""
    local = models.located(name)
    quantisation = None
    if trained is not None:
        quantisation = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=trained["config"].get("bnb_4bit_quant_type", "nf4"),
            bnb_4bit_use_double_quant=trained["config"].get("use_bnb_nested_quant", False),
            bnb_4bit_compute_dtype=getattr(torch, dtype),
        )
    base = AutoModelForCausalLM.from_pretrained(
        name,
        revision=None if local else revision or "main",
        # the precision in which 4-bit weights were made decides what they are
        dtype=getattr(torch, (trained["base"]["dtype"] if trained else None) or dtype),
        quantization_config=quantisation,
    )
    return base.dequantize() if quantisation is not None else base


if __name__ == "__main__":
    program.launched(main)
