"""Focal DPO: only the rejected lines that differ from the chosen code are unlearnt (Target-DPO/RPO, arXiv 2503.02783).

accelerate launch recipes/focal_dpo.py --config recipes/qwen2.5-coder-7b/focal_dpo_qlora.yaml

`alpha: 0` is Target-DPO, `alpha: 1` Target-RPO. Focused-DPO's prefix, middle and suffix (arXiv 2502.11475) are
`focus: middle`, `chosen_focus_weight: [1, 2, 1]`, `rejected_focus_weight: [1, 1, 0]`, `alpha: 0`; the common prefix
cancels out of the margin. Numbers other than 0 and 1 weigh the log-probabilities, in the NLL term too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import arguments
import data
import focal
import guards
import memory
import models
import packing
import program
import recipe
import signals
from packed_trainer import check_budget
from trl import DPOConfig, ModelConfig

METHOD = recipe.Method(
    "focal_dpo",
    "Focal DPO: as DPO, but of the rejected code only the tokens in focus count. Logged rewards and log-probabilities "
    "are over those tokens.",
    citation="""@misc{focal_dpo,
  title         = {Teaching Your Models to Understand Code via Focal Preference Alignment},
  year          = {2025},
  eprint        = {2503.02783},
  archivePrefix = {arXiv}
}""",
)
SIDES = data.SIDES["pairs"]


@dataclass
class Arguments(focal.FocalArguments, arguments.PairArguments):
    """All keys of this recipe beside TRL's."""


def settings(argv: Sequence[str] | None = None) -> arguments.Settings:
    """What the words say, checked as far as it can be without model and rows.

    Raises:
        CodeprefError: they can not be used.
    """
    script_args, training_args, model_args = arguments.parse(Arguments, DPOConfig, argv)
    arguments.add_nll(training_args, script_args.alpha)
    focal.check(script_args, training_args)
    signals.check(script_args, training_args)
    check_budget(script_args.packing, script_args.max_tokens_per_batch, training_args)
    return script_args, training_args, model_args


def main(argv: Sequence[str] | None = None) -> focal.FocalDPOTrainer:
    """Trains and saves; returns the trainer."""
    script_args, training_args, model_args = settings(argv)
    with recipe.hub_or_copies(script_args, model_args):
        return train_with(script_args, training_args, model_args)


def train_with(script_args: Arguments, training_args: DPOConfig, model_args: ModelConfig) -> focal.FocalDPOTrainer:
    """Trains by these settings and saves."""
    model = models.skeleton(model_args.model_name_or_path, model_args.model_revision)
    packing.check(script_args.packing, model, model_args)
    words = models.tokenizer(model_args)
    rows = data.pairs(script_args, spans=script_args.focus == "lines", seed=training_args.seed)
    reading = guards.Reading(words, models.vocabulary(model), training_args.max_length)
    fit, held = guards.both(rows, SIDES, reading)
    step = memory.largest_pass(fit.sizes, training_args, script_args.packing, script_args.max_tokens_per_batch)
    recipe.announce(model, model_args, training_args, step)
    manifest = recipe.describe(METHOD, script_args, training_args, model_args, fit, rows.report)
    manifest["checks"] |= signals.checks(script_args, fit.rows)
    checkpoint = recipe.resume(script_args, training_args, manifest)
    trainer = recipe.own_card(focal.FocalDPOTrainer)(
        **recipe.prepare_trainer(training_args, model_args, model),
        settings=script_args,
        label_confidence=script_args.label_confidence,
        packing=script_args.packing,
        max_tokens=script_args.max_tokens_per_batch,
        train_dataset=fit.rows,
        eval_dataset=held,
        processing_class=words,
    )
    manifest["checks"]["pairs dropped"] = trainer.dropped
    guard = guards.ChosenGuard(training_args.beta, fit.counted, script_args.chosen_drop, script_args.chosen_guard)
    return recipe.run(trainer, manifest, checkpoint, guard)


if __name__ == "__main__":
    program.launched(main)
