"""Supervised fine-tuning on the chosen codes of a preference dataset, or on rows with a prompt and a completion.

accelerate launch recipes/sft.py --config recipes/qwen2.5-coder-7b/sft_qlora.yaml

The loss counts completion tokens only.
"""

from collections.abc import Sequence

import arguments
import data
import guards
import memory
import models
import program
import recipe
from trl import ModelConfig, SFTConfig, SFTTrainer

METHOD = recipe.Method(
    "sft",
    "Supervised fine-tuning on the chosen codes; the loss counts completion tokens only.",
)
SIDES = data.SIDES["completions"]


def settings(argv: Sequence[str] | None = None) -> arguments.Settings:
    """What the words say, checked as far as it can be without model and rows.

    Raises:
        CodeprefError: they can not be used.
    """
    return arguments.parse(data.DataArguments, SFTConfig, argv)


def main(argv: Sequence[str] | None = None) -> SFTTrainer:
    """Trains and saves; returns the trainer."""
    script_args, training_args, model_args = settings(argv)
    with recipe.hub_or_copies(script_args, model_args):
        return train_with(script_args, training_args, model_args)


def train_with(script_args: data.DataArguments, training_args: SFTConfig, model_args: ModelConfig) -> SFTTrainer:
    """Trains by these settings and saves."""
    model = models.skeleton(model_args.model_name_or_path, model_args.model_revision)
    words, rows = models.tokenizer(model_args), data.completions(script_args)
    # what is cut into parts, or trained from its first token on, needs no room for an answer
    cut = (
        training_args.packing_strategy == "bfd"
        if training_args.packing
        else training_args.truncation_mode == "keep_start"
    )
    drops = cut and training_args.completion_only_loss is not False
    reading = guards.Reading(words, models.vocabulary(model), training_args.max_length, drops)
    fit, held = guards.both(rows, SIDES, reading)
    step = memory.largest_pass(fit.sizes, training_args)
    if training_args.packing and training_args.max_length:  # TRL's: rows of max_length, without padding
        tokens = training_args.per_device_train_batch_size * training_args.max_length
        step = memory.Pass(tokens, tokens)
    recipe.announce(model, model_args, training_args, step, preference=False)
    manifest = recipe.describe(METHOD, script_args, training_args, model_args, fit, rows.report)
    checkpoint = recipe.resume(script_args, training_args, manifest)
    trainer = recipe.own_card(SFTTrainer)(
        **recipe.prepare_trainer(training_args, model_args, model),
        train_dataset=fit.rows,
        eval_dataset=held,
        processing_class=words,
    )
    return recipe.run(trainer, manifest, checkpoint)


if __name__ == "__main__":
    program.launched(main)
