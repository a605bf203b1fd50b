"""`codepref tiny`: the tiny model's own commands.

codepref tiny prompts --split build --n 250 --seed 1 --out prompts.jsonl
codepref tiny prompts --split heldout --n 240 --seed 0 --truth --out heldout.jsonl
codepref tiny train --seed 0 --out runs/tiny/seed0
"""

import argparse
import json
from pathlib import Path
from typing import Any

from codepref.errors import CodeprefError
from codepref.generate.tiny.tasks import ENTRY_POINT, Task, tasks

LARGEST = 10_000
"""Tasks at most. The splits have 181,306, 42,864 and 36,499, flat ones included, and are searched at random."""
LICENCE = "Apache-2.0"
STEPS = 1500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The subcommands and their options."""
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    prompts = commands.add_parser("prompts", help="write prompts of the tiny model's family, JSON lines")
    prompts.add_argument("--split", choices=("train", "build", "heldout"), default="build", help="%(default)s")
    prompts.add_argument("--n", type=int, default=250, metavar="N", help="how many (%(default)s)")
    prompts.add_argument("--seed", type=int, default=0, metavar="N", help="%(default)s")
    prompts.add_argument("--truth", action="store_true", help="with a reference solution and hidden tests")
    prompts.add_argument("--out", type=Path, required=True, metavar="FILE")
    prompts.set_defaults(action=write_prompts)
    train = commands.add_parser("train", help="train a tiny model from nothing (needs the extra `local`)")
    train.add_argument("--seed", type=int, default=0, metavar="N", help="of first weights and data (%(default)s)")
    train.add_argument("--steps", type=int, default=STEPS, metavar="K", help="%(default)s")
    train.add_argument("--minutes", type=float, metavar="M", help="stop then; the same command goes on")
    train.add_argument("--device", default="cpu", metavar="NAME", help="cpu or cuda (%(default)s)")
    train.add_argument("--float32", action="store_true", help="no bfloat16 products: for processors without them")
    train.add_argument("--out", type=Path, required=True, metavar="DIR", help="the checkpoint's folder")
    train.set_defaults(action=run_training)


def run(arguments: argparse.Namespace) -> int:
    """`codepref tiny`; its exit code."""
    return int(arguments.action(arguments))


def write_prompts(arguments: argparse.Namespace) -> int:
    """`codepref tiny prompts`."""
    if not 0 < arguments.n <= LARGEST:
        raise CodeprefError(f"tiny prompts: --n {arguments.n} is out of range; 1 to {LARGEST:,}")
    found = tasks(arguments.split, arguments.n, arguments.seed)
    lines = [json.dumps(prompt_row(task, truth=arguments.truth)) + "\n" for task in found]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text("".join(lines), encoding="utf-8")
    print(f"{len(lines):,} prompts of split {arguments.split}: {arguments.out}")
    return 0


def prompt_row(task: Task, *, truth: bool) -> dict[str, Any]:
    """A task as a line of a prompts file; `truth` adds what no model may see."""
    shown = {
        "prompt_id": task.task_id,
        "prompt": task.prompt,
        "entry_point": ENTRY_POINT,
        "source": f"codepref tiny, split {task.split}",
        "licence": LICENCE,
    }
    return {**shown, "reference": task.reference, "tests": task.hidden_tests()} if truth else shown


def run_training(arguments: argparse.Namespace) -> int:
    """`codepref tiny train`; exit code 3 when `minutes` were over before the last step."""
    if arguments.steps < 1 or (arguments.minutes is not None and arguments.minutes <= 0):
        raise CodeprefError("tiny train: --steps and --minutes must be positive")
    try:
        from codepref.generate.tiny.train import Training, train
    except ImportError as error:
        raise CodeprefError(f"tiny train needs {error.name}: pip install 'codepref[local]'") from None
    config = Training(seed=arguments.seed, steps=arguments.steps, half=not arguments.float32, device=arguments.device)
    return 0 if train(config, arguments.out, arguments.minutes) else 3
