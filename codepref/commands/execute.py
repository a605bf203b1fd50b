"""`codepref execute`: codes on tests in the sandbox."""

import argparse
from pathlib import Path

from codepref.commands.options import cores


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--input", type=Path, required=True, metavar="FILE", help="cases, one JSON object a line")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="verdicts, written as they come")
    parser.add_argument("--jobs", type=int, default=cores(), metavar="N", help="sandboxes at work at once")
    parser.add_argument("--timeout", type=float, metavar="S", help="CPU seconds for one test (default: 1)")
    parser.add_argument("--memory", type=int, metavar="MB", help="memory of a candidate (default: 1024)")
    parser.add_argument("--mode", choices=("auto", "plain", "official"), default="auto")
    parser.add_argument("--lane", choices=("fast", "code", "strict"), default="fast")
    parser.add_argument("--profile", choices=("function", "library"), default="function")
    parser.add_argument("--python", metavar="PATH", help="interpreter of the candidates (default: this one)")
    parser.add_argument("--allow-unisolated", action="store_true", help="run even where nothing protects this machine")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0; 2 for bad input or where no sandbox can be started, 130 when interrupted."""
    from codepref.sandbox import command

    return command.main(arguments)
