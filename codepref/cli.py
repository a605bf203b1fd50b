"""The `codepref` command. Imports nothing heavy before it knows what was asked for."""

import argparse
import importlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from codepref import __version__
from codepref.errors import CodeprefError

if TYPE_CHECKING:
    from codepref import inspection

CONFIGS = Path(__file__).resolve().parent.parent / "builders" / "configs"
RECIPES = next(p for p in (Path(__file__).parent / "recipes", CONFIGS.parent.parent / "recipes") if p.is_dir())
TRAINERS = ("sft", "dpo", "kto", "focal_dpo")
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
    _add_publish(commands.add_parser("publish", help="put a dataset or a model on the Hub"))
    _add_train(commands.add_parser("train", help="train a model on one, or merge an adapter into its base"))
    _add_execute(commands.add_parser("execute", help="run codes on tests in the sandbox"))
    _add_evaluate(commands.add_parser("evaluate", help="grade samples or a model on code benchmarks"))
    _add_inspect(commands.add_parser("inspect", help="show a run, or where a model or dataset on the Hub comes from"))
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
    parser.add_argument("--push", metavar="ORG/NAME[@TAG]", help="publish the finished dataset there")
    parser.set_defaults(run=_build)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def _build(arguments: argparse.Namespace) -> int:
    from codepref import config, hub, release

    builder = importlib.import_module(f"builders.{arguments.method}")
    settings = config.load(builder.Config, arguments.config, arguments.set)
    if arguments.dry_run:
        print(builder.plan(settings, skip_bad=arguments.skip_bad))
        return 0
    if arguments.out is None:
        raise CodeprefError("build: give --out DIR, the run's folder (or --dry-run)")
    where = hub.target(arguments.push, "dataset") if arguments.push else None
    if where:
        hub.check(where)  # a build may take days: what would keep it from being published is said before it begins
    manifest = builder.build(
        settings, arguments.out, workers=arguments.workers, skip_bad=arguments.skip_bad, quiet=arguments.quiet
    )
    if not arguments.quiet:
        for name, part in manifest["dataset"].items():
            if part["rows"]:
                print(f'{part["rows"]} rows: datasets.load_dataset("{arguments.out}", "{name}")')
        print(f"card: {arguments.out / 'README.md'}")
    if where:
        hub.publish(release.dataset(arguments.out, where.repo_id), where, _silent if arguments.quiet else print)
    return 0


def _silent(_: str) -> None:
    pass


def _add_publish(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_subparsers(title="what", metavar="dataset|model", required=True)
    for kind in ("dataset", "model"):
        made_by = "codepref build" if kind == "dataset" else "codepref train"
        part = kinds.add_parser(kind, help=f"a folder that {made_by} made")
        part.add_argument("folder", metavar="DIR", type=Path, help=f"the folder that {made_by} made")
        part.add_argument("--repo", metavar="ORG/NAME", required=True, help="made if it is not there")
        part.add_argument("--tag", metavar="TAG", help="name of this version, e.g. v1.0.0; never moved")
        part.add_argument("--private", action="store_true", help="a new repository is private")
        part.add_argument("--dry-run", action="store_true", help="say what would be sent, deleted and tagged")
        part.set_defaults(run=_publish, kind=kind, results=[])
    part.add_argument("--results", metavar="FILE", type=Path, nargs="+", help="results.json of codepref evaluate")


def _publish(arguments: argparse.Namespace) -> int:
    from codepref import hub, release, scores

    where = hub.target(arguments.repo, arguments.kind, arguments.tag, arguments.private)
    if arguments.kind == "dataset":
        made = release.dataset(arguments.folder, where.repo_id)
    else:
        extra = scores.files(arguments.folder, where.repo_id, arguments.results) if arguments.results else []
        made = release.model(arguments.folder, where.repo_id, extra)
    if arguments.dry_run:
        print(*hub.preview(made, where), sep="\n")
    else:
        hub.publish(made, where)
    return 0


def _add_inspect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", metavar="RUN", type=Path, help="the --out folder of a build, finished or not; or ORG/NAME"
    )
    parser.add_argument("--prompt", metavar="ID", help="show one prompt: codes, tests, matrix, scores, pair")
    parser.add_argument("--rank-with", metavar="NAME", help="rank the stored matrix again; nothing is executed")
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="with --rank-with: overrides a key of the run"
    )
    parser.add_argument("--out", metavar="DIR", type=Path, help="with --rank-with: write the dataset it gives")
    parser.set_defaults(run=_inspect)


def _inspect(arguments: argparse.Namespace) -> int:
    from codepref import inspection, lineage, trace

    if lineage.has_origins(arguments.folder):
        print(lineage.describe(lineage.lineage(str(arguments.folder))))
        return 0
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


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("method", nargs="?", choices=TRAINERS, help="recipe to run")
    parser.add_argument("--config", metavar="FILE", help=f"YAML file; examples in {os.path.relpath(RECIPES)}")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="overrides a key of the file")
    parser.add_argument("--accelerate", metavar="FILE", help="`accelerate launch` with this file (several GPUs, nodes)")
    parser.add_argument("--merge", metavar="ADAPTER", help="make a whole model of this adapter instead")
    parser.add_argument("--out", metavar="DIR", help="folder of the merged model")
    parser.add_argument("--dtype", choices=("bfloat16", "float16", "float32"), help="its precision (bfloat16)")
    parser.add_argument("--into", choices=("trained", "original"), help="weights to merge into (trained)")
    parser.add_argument("--push", metavar="ORG/NAME[@TAG]", help="publish the trained model there")
    parser.set_defaults(run=_train)


def _train(arguments: argparse.Namespace) -> int:
    """Runs a recipe as the program it is; its exit code is ours."""
    if bool(arguments.merge) == bool(arguments.method):
        raise CodeprefError(f"train: give one of {', '.join(TRAINERS)}, or --merge ADAPTER --out DIR")
    if importlib.util.find_spec("trl") is None:
        raise CodeprefError("train: the training libraries are missing; pip install 'codepref[train,tracking]'")
    if arguments.merge and not arguments.out:
        raise CodeprefError("train: give --out DIR, the folder of the merged model")
    from codepref import hub, release

    command, folder = _training(arguments), _trained(arguments) if arguments.push else Path()
    where = hub.target(arguments.push, "model") if arguments.push else None
    if where:
        hub.check(where)
    code = subprocess.run(command, check=False).returncode
    if where and code == 0:
        hub.publish(release.model(folder, where.repo_id), where)
    return code


def _training(arguments: argparse.Namespace) -> list[str]:
    """The command of a recipe, or of merging."""
    if arguments.merge:
        options = {"--out": arguments.out, "--dtype": arguments.dtype, "--into": arguments.into}
        words = [word for name, value in options.items() if value for word in (name, value)]
        command = [sys.executable, str(RECIPES / "merge.py"), arguments.merge, *words]
    else:
        launch = ["-m", "accelerate.commands.launch", "--config_file", arguments.accelerate]
        command = [sys.executable, *(launch if arguments.accelerate else ()), str(RECIPES / f"{arguments.method}.py")]
        command += ["--config", arguments.config] if arguments.config else []
        for item in arguments.set:
            key, equals, value = item.partition("=")
            if not equals:
                raise CodeprefError(f"--set {item}: expected key=value")
            command += [f"--{key}", value]
    return command


def _trained(arguments: argparse.Namespace) -> Path:
    """The folder that training is going to leave the model in."""
    if arguments.merge:
        return Path(arguments.out)
    import yaml

    stated = yaml.safe_load(Path(arguments.config).read_text(encoding="utf-8")) if arguments.config else {}
    stated |= dict(item.split("=", 1) for item in arguments.set if "=" in item)
    if not stated.get("output_dir"):
        raise CodeprefError("train: --push needs output_dir, in the file or as --set output_dir=DIR")
    return Path(stated["output_dir"])


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


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    command = importlib.import_module("evaluation.command")
    command.add_arguments(parser)
    parser.set_defaults(run=command.run)


def _add_tiny(parser: argparse.ArgumentParser) -> None:
    from codepref.generate.tiny import command

    command.add_arguments(parser)


def _doctor(_: argparse.Namespace) -> int:
    from codepref.doctor import main as doctor

    return doctor()


if __name__ == "__main__":
    sys.exit(main())
