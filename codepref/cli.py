"""The `codepref` command. Imports nothing but the module of the command that was asked for."""
# PYTHON_ARGCOMPLETE_OK - where argcomplete is active for all programs, it looks for this word

import argparse
import importlib
import os
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from codepref import __version__
from codepref.errors import CodeprefError, Terminated

INTERRUPTED, TERMINATED = 130, 143
COMMANDS = {
    "quickstart": ("codepref.commands.quickstart.command", "the whole chain in minutes, with the tiny model"),
    "init": ("codepref.commands.init.command", "write a first configuration for samples, a server or a model"),
    "run": (
        "codepref.commands.experiment.command",
        "an experiment from one file: datasets, training, scores before and after",
    ),
    "build": ("codepref.commands.build", "build a preference dataset"),
    "train": ("codepref.commands.train", "train a model on one, or merge an adapter into its base"),
    "evaluate": ("codepref.commands.evaluate", "grade samples or a model on code benchmarks"),
    "publish": ("codepref.commands.publish", "put a dataset or a model on the Hub"),
    "inspect": ("codepref.commands.inspect", "show a run, or where a model or dataset on the Hub comes from"),
    "report": ("codepref.commands.report", "any runs as one HTML page, to look at, to send, to keep"),
    "execute": ("codepref.commands.execute", "run codes on tests in the sandbox"),
    "convert": ("codepref.commands.convert", "make prompts or recordings of a set of contest tasks"),
    "tiny": ("codepref.commands.tiny", "the tiny model: its prompts, its training"),
    "doctor": ("codepref.commands.doctor", "say what this machine offers, and what to do about what is missing"),
}
"""Name -> module with `add_arguments` and `run`, and one line of help."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Returns the exit code: 0 done, 2 something the user can mend, 130 interrupted, 143 stopped by SIGTERM.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    if "_ARGCOMPLETE" in os.environ:  # the shell asks what may follow, for the line that has been typed so far
        import argcomplete

        argcomplete.autocomplete(_parser(os.environ["COMP_LINE"].split()[1:]))  # writes it, and ends the process
    arguments = _parser(words).parse_args(words)
    if threading.current_thread() is threading.main_thread():  # the only one that may
        signal.signal(signal.SIGTERM, _terminate)
    try:
        return int(arguments.run(arguments))
    except CodeprefError as error:
        print(f"codepref: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"codepref: error: {where}{error.strerror or error}; what was finished is kept", file=sys.stderr)
        return 2
    except KeyboardInterrupt as why:
        word, code = ("stopped", TERMINATED) if isinstance(why, Terminated) else ("interrupted", INTERRUPTED)
        print(f"codepref: {word}; what was finished is kept, the same command goes on from there", file=sys.stderr)
        return code


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the second one would come in the middle of the cleaning up
    raise Terminated


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="codepref", description="Preference datasets for code models, built by running code."
    )
    parser.add_argument("--version", action="version", version=f"codepref {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (module, text) in COMMANDS.items():
        part = commands.add_parser(name, help=text)
        if name in words[:1]:
            command = importlib.import_module(module)
            part.set_defaults(run=command.run)
            command.add_arguments(part)
    return parser


if __name__ == "__main__":
    sys.exit(main())
