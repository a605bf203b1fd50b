"""Direct preference optimisation (arXiv 2305.18290) with an NLL term on the chosen code (as CodeDPO, arXiv 2410.05605).

accelerate launch recipes/dpo.py --config recipes/qwen2.5-coder-7b/dpo_qlora.yaml
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
from confident import ConfidentPairTrainer
from packed_trainer import PackedTrainer, check_budget
from trl import DPOConfig, DPOTrainer, ModelConfig

METHOD = recipe.Method(
    "dpo",
    "Direct preference optimisation: the chosen code of each pair against the rejected one; `sft` among the losses is "
    "an NLL term on the chosen code.",
    citation="""@misc{dpo,
  title         = {Direct Preference Optimization: Your Language Model is Secretly a Reward Model},
  year          = {2023},
  eprint        = {2305.18290},
  archivePrefix = {arXiv}
}""",
)
SIDES = data.SIDES["pairs"]


class PackedDPOTrainer(PackedTrainer, ConfidentPairTrainer, DPOTrainer):
    """TRL's DPO trainer; with `packing` its steps are packed, with `label_confidence` its loss listens to it."""


def settings(argv: Sequence[str] | None = None) -> arguments.Settings:
    """What the words say, checked as far as it can be without model and rows.

    Raises:
        CodeprefError: they can not be used.
    """
    script_args, training_args, model_args = arguments.parse(arguments.PairArguments, DPOConfig, argv)
    arguments.add_nll(training_args, script_args.alpha)
    signals.check(script_args, training_args)
    check_budget(script_args.packing, script_args.max_tokens_per_batch, training_args)
    return script_args, training_args, model_args


def main(argv: Sequence[str] | None = None) -> PackedDPOTrainer:
    """Trains and saves; returns the trainer."""
    script_args, training_args, model_args = settings(argv)
    with recipe.hub_or_copies(script_args, model_args):
        return train_with(script_args, training_args, model_args)


def train_with(
    script_args: arguments.PairArguments, training_args: DPOConfig, model_args: ModelConfig
) -> PackedDPOTrainer:
    """Trains by these settings and saves."""
    model = models.skeleton(model_args.model_name_or_path, model_args.model_revision)
    packing.check(script_args.packing, model, model_args)
    words, rows = models.tokenizer(model_args), data.pairs(script_args, seed=training_args.seed)
    drops = training_args.truncation_mode == "keep_start"
    reading = guards.Reading(words, models.vocabulary(model), training_args.max_length, drops)
    fit, held = guards.both(rows, SIDES, reading)
    step = memory.largest_pass(fit.sizes, training_args, script_args.packing, script_args.max_tokens_per_batch)
    recipe.announce(model, model_args, training_args, step)
    manifest = recipe.describe(METHOD, script_args, training_args, model_args, fit, rows.report)
    manifest["checks"] |= signals.checks(script_args, fit.rows)
    checkpoint = recipe.resume(script_args, training_args, manifest)
    trainer = recipe.own_card(PackedDPOTrainer)(
        **recipe.prepare_trainer(training_args, model_args, model),
        label_confidence=script_args.label_confidence,
        packing=script_args.packing,
        max_tokens=script_args.max_tokens_per_batch,
        train_dataset=fit.rows,
        eval_dataset=held,
        processing_class=words,
    )
    guard = guards.ChosenGuard(training_args.beta, fit.counted, script_args.chosen_drop, script_args.chosen_guard)
    return recipe.run(trainer, manifest, checkpoint, guard)


if __name__ == "__main__":
    program.launched(main)
