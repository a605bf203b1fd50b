"""Kahneman-Tversky optimisation (arXiv 2402.01306) on single labelled codes, or on pairs taken apart (as DSTC).

accelerate launch recipes/kto.py --config recipes/qwen2.5-coder-7b/kto_qlora.yaml

The rows are shuffled here: TRL reads them in order and takes pairs apart into all desirable, then all undesirable ones.
Where the classes differ in size and both weights are 1, the smaller class gets the weight that evens them out.
"""

from collections.abc import Sequence

import arguments
import data
import guards
import memory
import models
import packing
import program
import recipe
import signals
from confident import ConfidentRowTrainer
from packed_trainer import PackedTrainer
from trl import KTOConfig, KTOTrainer, ModelConfig

from codepref.errors import CodeprefError

METHOD = recipe.Method(
    "kto",
    "Kahneman-Tversky optimisation: each code alone, desirable or undesirable, against the reference.",
    citation="""@misc{kto,
  title         = {KTO: Model Alignment as Prospect Theoretic Optimization},
  year          = {2024},
  eprint        = {2402.01306},
  archivePrefix = {arXiv}
}""",
)
SIDES = data.SIDES["labelled"]


class PackedKTOTrainer(PackedTrainer, ConfidentRowTrainer, KTOTrainer):
    """TRL's KTO trainer; with `packing` its steps are packed, with `label_confidence` its loss listens to it."""


def settings(argv: Sequence[str] | None = None) -> arguments.Settings:
    """What the words say, checked as far as it can be without model and rows.

    Raises:
        CodeprefError: they can not be used.
    """
    script_args, training_args, model_args = arguments.parse(arguments.PreferenceArguments, KTOConfig, argv)
    if training_args.per_device_train_batch_size < 2:
        raise CodeprefError("per_device_train_batch_size: KTO compares the rows of a batch; give 2 or more")
    weights = training_args.desirable_weight, training_args.undesirable_weight
    if min(weights) < 0 or not max(weights) > 0:
        raise CodeprefError(
            f"desirable_weight and undesirable_weight: {weights[0]} and {weights[1]}; give numbers of 0 or more, one "
            "of them above 0"
        )
    signals.check(script_args, training_args)
    return script_args, training_args, model_args


def main(argv: Sequence[str] | None = None) -> PackedKTOTrainer:
    """Trains and saves; returns the trainer."""
    script_args, training_args, model_args = settings(argv)
    with recipe.hub_or_copies(script_args, model_args):
        return train_with(script_args, training_args, model_args)


def train_with(
    script_args: arguments.PreferenceArguments, training_args: KTOConfig, model_args: ModelConfig
) -> PackedKTOTrainer:
    """Trains by these settings and saves."""
    model = models.skeleton(model_args.model_name_or_path, model_args.model_revision)
    packing.check(script_args.packing, model, model_args)
    words, rows = models.tokenizer(model_args), data.labelled(script_args, seed=training_args.seed)
    reading = guards.Reading(words, models.vocabulary(model), training_args.max_length)
    fit, held = guards.both(rows, SIDES, reading)
    given = training_args.desirable_weight, training_args.undesirable_weight
    step = memory.largest_pass(fit.sizes, training_args, script_args.packing)
    recipe.announce(model, model_args, training_args, step)
    labels = list(fit.rows["label"])
    weights = guards.balance(rows.name, labels, *given, fit.lengths["dropped"])
    training_args.desirable_weight, training_args.undesirable_weight = weights
    manifest = recipe.describe(METHOD, script_args, training_args, model_args, fit, rows.report)
    manifest["checks"] |= {
        "labels": {"desirable": sum(labels), "undesirable": len(labels) - sum(labels)},
        "weights": dict(zip(("desirable", "undesirable"), weights, strict=True)),
        **signals.checks(script_args, fit.rows),
    }
    checkpoint = recipe.resume(script_args, training_args, manifest)
    train = guards.whole_batches(fit.rows, training_args.per_device_train_batch_size)
    if len(train) < len(fit.rows):
        manifest["checks"]["warnings"].append(
            "one row is left out: alone in the last batch it had none to compare with"
        )
    trainer = recipe.own_card(PackedKTOTrainer)(
        **recipe.prepare_trainer(training_args, model_args, model),
        label_confidence=script_args.label_confidence,
        packing=script_args.packing,
        train_dataset=train,
        eval_dataset=held and guards.whole_batches(held, training_args.per_device_eval_batch_size),
        processing_class=words,
    )
    guard = guards.ChosenGuard(training_args.beta, fit.counted, script_args.chosen_drop, script_args.chosen_guard)
    return recipe.run(trainer, manifest, checkpoint, guard)


if __name__ == "__main__":
    program.launched(main)
