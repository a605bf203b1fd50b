"""Direct preference optimisation (arXiv 2305.18290) with an NLL term on the chosen code (as CodeDPO, arXiv 2410.05605).

accelerate launch recipes/dpo.py --config recipes/qwen2.5-coder-7b/dpo_qlora.yaml
"""

from collections.abc import Sequence

import data
import guards
import recipe
from trl import DPOConfig, DPOTrainer

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
SIDES = ("chosen_ids", "rejected_ids")


def main(argv: Sequence[str] | None = None) -> DPOTrainer:
    """Trains and saves; returns the trainer."""
    script, args, wanted = recipe.parse(recipe.PairArguments, DPOConfig, argv)
    recipe.add_nll(args, script.alpha)
    recipe.announce(wanted, args, rows=2 * args.per_device_train_batch_size)
    train, held = data.pairs(script)
    words = recipe.tokenizer(wanted)
    trainer = recipe.own_card(DPOTrainer)(
        **recipe.parts(script, args, wanted), train_dataset=train, eval_dataset=held, processing_class=words
    )
    checks = guards.preferences(trainer.train_dataset, SIDES, len(train), words, args.max_length)
    manifest = recipe.describe(METHOD, script, args, wanted, trainer)
    manifest["checks"] = checks
    guard = guards.ChosenGuard(args.beta, checks["lengths"]["completion_mean"], script.chosen_drop, script.chosen_guard)
    return recipe.run(trainer, manifest, guard)


if __name__ == "__main__":
    recipe.launched(main)
