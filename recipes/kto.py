"""Kahneman-Tversky optimisation (arXiv 2402.01306) on single labelled codes, or on pairs taken apart (as DSTC).

accelerate launch recipes/kto.py --config recipes/qwen2.5-coder-7b/kto_qlora.yaml

The rows are shuffled here: TRL reads them in order and takes pairs apart into all desirable, then all undesirable ones.
Where the classes differ in size and both weights are 1, the smaller class gets the weight that evens them out.
"""

from collections.abc import Sequence

import arguments
import data
import guards
import models
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
SIDES = data.SIDES["labelled"]


def main(argv: Sequence[str] | None = None) -> KTOTrainer:
    """Trains and saves; returns the trainer."""
    script, args, wanted = arguments.parse(arguments.PreferenceArguments, KTOConfig, argv)
    if args.per_device_train_batch_size < 2:
        raise CodeprefError("per_device_train_batch_size: KTO compares the rows of a batch; give 2 or more")
    model = recipe.announce(wanted, args, rows=args.per_device_train_batch_size)
    words, rows = models.tokenizer(wanted), data.labelled(script, seed=args.seed)
    fit, held = guards.both(rows, SIDES, words, models.vocabulary(model), args.max_length)
    given = args.desirable_weight, args.undesirable_weight
    labels = list(fit.rows["label"])
    weights = guards.balance(rows.name, labels, *given, fit.lengths["dropped"])
    args.desirable_weight, args.undesirable_weight = weights
    manifest = recipe.describe(METHOD, script, args, wanted, fit, rows.report)
    manifest["checks"] |= {
        "labels": {"desirable": sum(labels), "undesirable": len(labels) - sum(labels)},
        "weights": dict(zip(("desirable", "undesirable"), weights, strict=True)),
    }
    checkpoint = recipe.resume(script, args, manifest)
    train = guards.whole_batches(fit.rows, args.per_device_train_batch_size)
    if len(train) < len(fit.rows):
        manifest["checks"]["warnings"].append(
            "one row is left out: alone in the last batch it had none to compare with"
        )
    trainer = recipe.own_card(KTOTrainer)(
        **recipe.parts(script, args, wanted, model),
        train_dataset=train,
        eval_dataset=held and guards.whole_batches(held, args.per_device_eval_batch_size),
        processing_class=words,
    )
    guard = guards.ChosenGuard(args.beta, fit.counted, script.chosen_drop, script.chosen_guard)
    return recipe.run(trainer, manifest, checkpoint, guard)


if __name__ == "__main__":
    recipe.launched(main)
