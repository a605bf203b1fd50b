"""CodeDPO built from the tiny model's own samples, and how many of its pairs are right by the hidden tests.

    python benchmarks/tiny_labels.py OUT [--n 250] [--seed 1] [--checkpoint DIR]

A pair is right when its chosen program passes all hidden tests of its task and the rejected one does not, inverted
when it is the other way round. Brackets are 95 % bootstrap intervals over pairs. All rankings read the same matrix:
after the first, nothing is asked or run again.
"""

import argparse
import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
from datasets import load_dataset

from builders.chain import ranking
from builders.codedpo import method as codedpo
from codepref import config
from codepref.commands.tiny import prompt_row
from codepref.generate.tiny.backend import CHECKPOINT
from codepref.generate.tiny.tasks import tasks
from codepref.intervals import bootstrap
from codepref.stages import locked_runner
from evaluation import tiny

CONFIG = Path(__file__).parent.parent / "builders" / "configs" / "codedpo" / "tiny.yaml"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--n", type=int, default=250)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--checkpoint", default=str(CHECKPOINT))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    prompts = arguments.out / "prompts.jsonl"
    chosen = tasks("build", arguments.n, arguments.seed)
    prompts.write_text("".join(json.dumps(prompt_row(task, truth=False)) + "\n" for task in chosen))
    given = [f"prompts={prompts}", f"generation.tiny.checkpoint={arguments.checkpoint}"]
    results = [measure(name, given, arguments.out / "run") for name in get_args(ranking.Name)]
    print("| ranking | pairs | right | inverted | right, most confident half |\n|---|---|---|---|---|")
    for result in results:
        right, half = (f"{m:.2f} [{low:.2f}, {high:.2f}]" for m, low, high in (result["right"], result["half"]))
        print(f"| {result['ranking']} | {result['pairs']} | {right} | {result['inverted']:.2f} | {half} |")
    print(json.dumps(results))


def measure(name: str, given: list[str], out: Path) -> dict[str, Any]:
    """The pairs of one ranking against the truth."""
    with locked_runner(out, quiet=True) as runner:
        codedpo.build(config.load(codedpo.Config, CONFIG, [*given, f"ranking={name}"]), runner)
    rows = list(load_dataset(str(out), "correctness", split="train", keep_in_memory=True))
    found = tiny.right([(pair["prompt"], [pair["chosen"], pair["rejected"]]) for pair in rows])
    chosen, rejected = np.array(found).T
    right, inverted = chosen & ~rejected, ~chosen & rejected
    order = np.argsort([-pair["confidence"] for pair in rows], kind="stable")
    return {
        "ranking": name,
        "pairs": len(rows),
        "right": bootstrap(right),
        "inverted": float(inverted.mean()),
        "half": bootstrap(right[order[: len(rows) // 2]]),
    }


if __name__ == "__main__":
    main()
