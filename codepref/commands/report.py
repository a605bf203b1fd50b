"""`codepref report`: any runs as one HTML page, to look at, to send, to keep."""

import argparse
from pathlib import Path

from codepref.commands.options import positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "folders",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="folders of builds, trainings, evaluations or an experiment",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the page, e.g. page.html")
    parser.add_argument(
        "--pairs", type=positive, default=12, metavar="N", help="pairs shown of each config (%(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0. Raises `CodeprefError` where a folder is no run, or the page can not be written."""
    from codepref.commands.experiment import page as experiment
    from codepref.commands.experiment.steps import FILE
    from codepref.commands.quickstart import page as quickstart
    from codepref.files import write_whole
    from codepref.report import page

    first, *others = arguments.folders
    if not others and (first / FILE).exists():
        text = experiment.page(experiment.read_page(first))
    elif not others and (first / "quickstart.json").exists():
        text = quickstart.page(quickstart.read_page_content(first))
    else:
        text = page.page(arguments.folders, arguments.pairs, arguments.out.parent)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(arguments.out, text.encode())
    print(arguments.out)
    return 0
