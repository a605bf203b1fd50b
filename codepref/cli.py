"""The `codepref` command. Imports nothing heavy before it knows what was asked for."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from codepref import __version__
from codepref.errors import CodeprefError

if TYPE_CHECKING:
    from codepref import inspection

CONFIGS = Path(__file__).resolve().parent.parent / "builders" / "configs"
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0 done, 2 something the user can mend, 130 interrupted."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except CodeprefError as error:
        print(f"codepref: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"codepref: error: {where}{error.strerror or error}; what was finished is kept", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("codepref: interrupted; what was finished is kept, the same command goes on from there", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="codepref", description="Preference datasets for code models, built by running code."
    )
    parser.add_argument("--version", action="version", version=f"codepref {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_build(commands.add_parser("build", help="build a preference dataset"))
    _add_execute(commands.add_parser("execute", help="run codes on tests in the sandbox"))
    _add_inspect(commands.add_parser("inspect", help="show a run: stages, what was left out, one prompt's whole chain"))
    _add_tiny(commands.add_parser("tiny", help="the tiny model: its prompts, its training"))
    doctor = commands.add_parser("doctor", help="say what this machine offers, and what to do about what is missing")
    doctor.set_defaults(run=_doctor)
    return parser


def methods() -> list[str]:
    """Names of the methods: those that have configurations."""
    return sorted(path.name for path in CONFIGS.iterdir() if path.is_dir())


def _add_build(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("method", choices=methods(), help="what to build")
    parser.add_argument("--config", metavar="FILE", help=f"YAML file; examples in {os.path.relpath(CONFIGS)}")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="overrides a key of the file")
    parser.add_argument("--out", metavar="DIR", type=Path, help="the run's folder")
    parser.add_argument("--dry-run", action="store_true", help="say what would be asked and run, and what it costs")
    parser.add_argument("--workers", metavar="N", type=_positive, default=_cores(), help="processes (%(default)s)")
    parser.add_argument("--skip-bad", action="store_true", help="leave bad input lines out and count them")
    parser.add_argument("--quiet", action="store_true", help="no progress, no summaries")
    parser.set_defaults(run=_build)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def _build(arguments: argparse.Namespace) -> int:
    from codepref import config

    builder = importlib.import_module(f"builders.{arguments.method}")
    settings = config.load(builder.Config, arguments.config, arguments.set)
    if arguments.dry_run:
        print(builder.plan(settings, skip_bad=arguments.skip_bad))
        return 0
    if arguments.out is None:
        raise CodeprefError("build: give --out DIR, the run's folder (or --dry-run)")
    manifest = builder.build(
        settings, arguments.out, workers=arguments.workers, skip_bad=arguments.skip_bad, quiet=arguments.quiet
    )
    if not arguments.quiet:
        for name, part in manifest["dataset"].items():
            if part["rows"]:
                print(f'{part["rows"]} rows: datasets.load_dataset("{arguments.out}", "{name}")')
        print(f"card: {arguments.out / 'README.md'}")
    return 0


def _add_inspect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="RUN", type=Path, help="the --out folder of a build, finished or not")
    parser.add_argument("--prompt", metavar="ID", help="show one prompt: codes, tests, matrix, scores, pair")
    parser.add_argument("--rank-with", metavar="NAME", help="rank the stored matrix again; nothing is executed")
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="with --rank-with: overrides a key of the run"
    )
    parser.add_argument("--out", metavar="DIR", type=Path, help="with --rank-with: write the dataset it gives")
    parser.set_defaults(run=_inspect)


def _inspect(arguments: argparse.Namespace) -> int:
    from codepref import inspection, trace

    run = inspection.read(arguments.folder)
    if arguments.rank_with is not None:
        text = _reranked(run, arguments)
    elif arguments.set or arguments.out is not None:
        raise CodeprefError("inspect: --set and --out go with --rank-with NAME")
    elif arguments.prompt is not None:
        colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        text = trace.trace(run, arguments.prompt, colour)
    else:
        text = inspection.overview(run)
    try:
        print(text, flush=True)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _reranked(run: "inspection.Run", arguments: argparse.Namespace) -> str:
    if run.manifest is None:
        raise CodeprefError(f"{run.root}: {run.state}; only a finished run can be ranked again")
    method = run.manifest["method"]
    builder = importlib.import_module(f"builders.{method}") if method in methods() else None
    if not hasattr(builder, "rerank"):
        raise CodeprefError(f"{run.root}: a run of {method!r} can not be ranked again")
    return str(builder.rerank(run, arguments.rank_with, arguments.set, arguments.out))  # type: ignore[union-attr]


def _add_execute(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--input", type=Path, required=True, metavar="FILE", help="cases, one JSON object a line")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="verdicts, written as they come")
    parser.add_argument("--jobs", type=int, default=_cores(), metavar="N", help="sandboxes at work at once")
    parser.add_argument("--timeout", type=float, metavar="S", help="CPU seconds for one test (default: 1)")
    parser.add_argument("--memory", type=int, metavar="MB", help="memory of a candidate (default: 1024)")
    parser.add_argument("--mode", choices=("auto", "plain", "official"), default="auto")
    parser.add_argument("--lane", choices=("fast", "code", "strict"), default="fast")
    parser.add_argument("--profile", choices=("function", "library"), default="function")
    parser.add_argument("--python", metavar="PATH", help="interpreter of the candidates (default: this one)")
    parser.add_argument("--allow-unisolated", action="store_true", help="run even where nothing protects this machine")
    parser.set_defaults(run=_execute)


def _execute(arguments: argparse.Namespace) -> int:
    from codepref.sandbox import command

    return command.main(arguments)


def _add_tiny(parser: argparse.ArgumentParser) -> None:
    from codepref.generate.tiny import command

    command.add_arguments(parser)


def _doctor(_: argparse.Namespace) -> int:
    from codepref.doctor import main as doctor

    return doctor()


if __name__ == "__main__":
    sys.exit(main())
