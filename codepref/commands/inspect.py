"""`codepref inspect`: a run's stages, one prompt's whole chain, another ranking; or an origin on the Hub."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from codepref.commands.options import builder, methods
from codepref.errors import CodeprefError

if TYPE_CHECKING:
    from codepref.inspection import run as inspection


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "folder", metavar="RUN", type=Path, help="the --out folder of a build, finished or not; or ORG/NAME"
    )
    parser.add_argument("--prompt", metavar="ID", help="show one prompt: codes, tests, matrix, scores, pair")
    parser.add_argument(
        "--cell",
        metavar="CODE,TEST",
        type=_cell,
        help="with --prompt: run that code on that test again, and show how it is judged",
    )
    parser.add_argument("--rank-with", metavar="NAME", help="rank the stored matrix again; nothing is executed")
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="with --rank-with: overrides a key of the run"
    )
    parser.add_argument("--out", metavar="DIR", type=Path, help="with --rank-with: write the dataset it gives")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0. Raises `CodeprefError` for whatever the user can mend."""
    from codepref.inspection import lineage, prompt
    from codepref.inspection import run as inspection

    if lineage.has_origins(arguments.folder):
        print(lineage.lineage_text(lineage.trace_lineage(str(arguments.folder))))
        return 0
    run = inspection.read_run(arguments.folder)
    if arguments.rank_with is not None:
        text = _reranked(run, arguments)
    elif arguments.set or arguments.out is not None:
        raise CodeprefError("inspect: --set and --out go with --rank-with NAME")
    elif arguments.cell is not None:
        text = _cell_again(run, arguments)
    elif arguments.prompt is not None:
        colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        text = prompt.trace(run, arguments.prompt, colour)
    else:
        text = inspection.overview(run)
    try:
        print(text, flush=True)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _cell(text: str) -> tuple[int, int]:
    """`CODE,TEST`: the numbers that `--prompt ID` shows, for argparse."""
    code, comma, test = text.partition(",")
    if not (comma and code.strip().isdigit() and test.strip().isdigit()):
        raise argparse.ArgumentTypeError("give CODE,TEST: two numbers of what --prompt ID shows, such as 0,3")
    return int(code), int(test)


def _cell_again(run: "inspection.Run", arguments: argparse.Namespace) -> str:
    from codepref.inspection import cell

    if arguments.prompt is None:
        raise CodeprefError("inspect: --cell CODE,TEST goes with --prompt ID")
    return cell.run_again(run, arguments.prompt, *arguments.cell)


def _reranked(run: "inspection.Run", arguments: argparse.Namespace) -> str:
    from builders.chain import ranking

    if run.manifest is None:
        raise CodeprefError(f"{run.root}: {run.state}; only a finished run can be ranked again")
    method = run.manifest["method"]
    module = builder(method) if method in methods() else None
    if not hasattr(module, "rerank"):
        raise CodeprefError(f"{run.root}: a run of {method!r} can not be ranked again")
    name = arguments.rank_with
    if name not in ranking.NAMES:
        raise CodeprefError(f"--rank-with {name}: no such ranking; give one of {', '.join(ranking.NAMES)}")
    return str(module.rerank(run, name, arguments.set, arguments.out))  # type: ignore[union-attr]
