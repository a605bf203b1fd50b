"""Kahneman-Tversky optimisation (arXiv 2402.01306) on single labelled codes, or on pairs taken apart (as DSTC).

accelerate launch recipes/kto.py --config recipes/qwen2.5-coder-7b/kto_qlora.yaml

The rows are shuffled here: TRL reads them in order and takes pairs apart into all desirable, then all undesirable ones.
Where the classes differ in size and both weights are 1, the smaller class gets the weight that evens them out.
"""

from collections.abc import Sequence

import data
import guards
import recipe
from trl import KTOConfig, KTOTrainer

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
SIDES = ("completion_ids",)


def main(argv: Sequence[str] | None = None) -> KTOTrainer:
    """Trains and saves; returns the trainer."""
    script, args, wanted = recipe.parse(recipe.PreferenceArguments, KTOConfig, argv)
    if args.per_device_train_batch_size < 2:
        raise CodeprefError("per_device_train_batch_size: KTO compares the rows of a batch; give 2 or more")
    recipe.announce(wanted, args, rows=args.per_device_train_batch_size)
    train, held = data.labelled(script, seed=args.seed)
    given = args.desirable_weight, args.undesirable_weight
    args.desirable_weight, args.undesirable_weight = guards.balance(train["label"], *given)
    words = recipe.tokenizer(wanted)
    trainer = recipe.own_card(KTOTrainer)(
        **recipe.parts(script, args, wanted), train_dataset=train, eval_dataset=held, processing_class=words
    )
    good = sum(trainer.train_dataset["label"])
    checks = guards.preferences(trainer.train_dataset, SIDES, len(train), words, args.max_length)
    manifest = recipe.describe(METHOD, script, args, wanted, trainer)
    manifest["checks"] = {
        **checks,
        "labels": {"desirable": good, "undesirable": len(trainer.train_dataset) - good},
        "weights": {"desirable": args.desirable_weight, "undesirable": args.undesirable_weight},
    }
    guard = guards.ChosenGuard(args.beta, checks["lengths"]["completion_mean"], script.chosen_drop, script.chosen_guard)
    return recipe.run(trainer, manifest, guard)


if __name__ == "__main__":
    recipe.launched(main)
