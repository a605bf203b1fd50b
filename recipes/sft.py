"""Supervised fine-tuning on the chosen codes of a preference dataset, or on rows with a prompt and a completion.

accelerate launch recipes/sft.py --config recipes/qwen2.5-coder-7b/sft_qlora.yaml

The loss counts completion tokens only.
"""

from collections.abc import Sequence

import data
import guards
import recipe
from trl import SFTConfig, SFTTrainer

METHOD = recipe.Method(
    "sft",
    "Supervised fine-tuning on the chosen codes; the loss counts completion tokens only.",
)


def main(argv: Sequence[str] | None = None) -> SFTTrainer:
    """Trains and saves; returns the trainer."""
    script, args, wanted = recipe.parse(data.DataArguments, SFTConfig, argv)
    recipe.announce(wanted, args, rows=args.per_device_train_batch_size, preference=False)
    train, held = data.completions(script)
    words = recipe.tokenizer(wanted)
    trainer = recipe.own_card(SFTTrainer)(
        **recipe.parts(script, args, wanted), train_dataset=train, eval_dataset=held, processing_class=words
    )
    manifest = recipe.describe(METHOD, script, args, wanted, trainer)
    manifest["checks"] = guards.completions(train, trainer.train_dataset, words, args.max_length, args.packing)
    return recipe.run(trainer, manifest)


if __name__ == "__main__":
    recipe.launched(main)
