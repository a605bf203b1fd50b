"""`codepref run`: an experiment from one file: datasets, training, evaluation before and after, one page.

Every step is a command that can be typed alone. What was finished is kept: the same call goes on from there.
"""

import argparse
import dataclasses
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codepref.commands.chain import Chain, Step, Way, typed
from codepref.commands.experiment.file import DEFAULT, Experiment, check
from codepref.commands.experiment.settings import check_datasets, check_parts, check_trainings
from codepref.commands.experiment.steps import FILE, planned_steps, share_answers
from codepref.commands.options import cores, positive
from codepref.config import load
from codepref.errors import CodeprefError
from codepref.files import locked

if TYPE_CHECKING:
    from codepref.commands.experiment.outlay import Outlay


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("experiment", nargs="?", metavar="FILE", help="YAML file (default: one dataset, one training)")
    parser.add_argument("--model", metavar="ID_OR_PATH", help="the model to train, in place of the file's")
    parser.add_argument("--prompts", metavar="FILE", help="prompts, in place of the file's")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="overrides a key of the file")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the run's folder (runs/NAME)")
    parser.add_argument("--workers", type=positive, default=cores(), metavar="N", help="processes (%(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="print the steps and what they take, and stop")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0.

    Raises:
        CodeprefError: the file can not be used, the budget does not reach, or a step fails; what was finished is kept.
    """
    from codepref.commands.experiment.page import write_page

    given = {"model": arguments.model, "prompts": arguments.prompts}
    words = [f"{key}={json.dumps(value)}" for key, value in given.items() if value is not None]
    path, overrides = Path(arguments.experiment or DEFAULT), [*words, *arguments.set]
    experiment = load(Experiment, path, overrides)
    check(experiment)
    check_parts(experiment)
    check_datasets(experiment, path, overrides)
    out = arguments.out or Path("runs") / Path(arguments.experiment or experiment.model).stem
    planned = list(planned_steps(experiment, out, arguments.workers))
    check_trainings(experiment, planned, path, overrides)
    if arguments.dry_run:
        return _dry_run(experiment, planned)
    if experiment.budget.hours is not None and not (out / FILE).exists():
        _afford(experiment, experiment.budget.hours)
    about = {"experiment": json.loads(json.dumps(dataclasses.asdict(experiment)))}
    with locked(out, f"{out}: another run is running here; wait for it or choose another --out"):
        chain = Chain(out, FILE, about, Way(before=share_answers))
        chain.run(planned, shlex.join(map(str, sys.argv[1:])))
        write_page(out)
    print(_closing(chain.told, out))
    return 0


def _dry_run(experiment: Experiment, planned: list[Step]) -> int:
    """The commands, and what they take."""
    from codepref.commands.experiment import outlay

    found = outlay.outlays(experiment)  # reads all input: what is wrong with it is said before anything is printed
    for number, step in enumerate(planned, 1):
        print(f"[{number}/{len(planned)}] {step.name}" + (f"\n  {typed(step.words)}" if step.words else ""))
    print("\n" + outlay.table(found, outlay.rates(experiment)))
    hours = experiment.budget.hours
    if hours is not None:
        print(_too_little(found, hours) or f"budget.hours: {hours:g}, which is enough by this estimate")
    return 0


def _too_little(found: Sequence["Outlay"], hours: float) -> str:
    """What is to be said where the estimate is above the budget; empty where it is not."""
    needed = sum(item.hours for item in found)
    if needed <= hours:
        return ""
    return f"budget.hours: {hours:g}, and the experiment is estimated to take {needed:.1f}: it is refused"


def _afford(experiment: Experiment, hours: float) -> None:
    """Raises `CodeprefError` where the estimate is above the budget."""
    from codepref.commands.experiment import outlay

    said = _too_little(outlay.outlays(experiment), hours)
    if said:
        raise CodeprefError(f"{said}; --dry-run says where the hours go. Nothing was done")


def _closing(told: Mapping[str, Any], root: Path) -> str:
    lines = [""]
    for name, label in told.get("labels", {}).items():
        span = f"[{100 * label['low']:.0f}, {100 * label['high']:.0f}]"
        lines.append(f"{name}: {100 * label['right']:.0f} % {span} of {label['pairs']} pairs are right")
    for score in told["scores"]:
        where = f"{score['benchmark']}, {score['way']}"
        lines.append(f"{where:<28}{score['model']:<16}{score['value']:5.1f} [{score['low']:.1f}, {score['high']:.1f}]")
    for gain in told["gains"]:
        where = f"{gain['benchmark']}, {gain['way']}"
        shown = f"{gain['difference']:+.1f} [{gain['low']:+.1f}, {gain['high']:+.1f}]"
        lines.append(f"{where:<28}gain, {gain['model']:<10}{shown}   won {gain['won']}, lost {gain['lost']}")
    return "\n".join([*lines, "", f"page      {root / 'report.html'}", f"figures   {root / FILE}"])
