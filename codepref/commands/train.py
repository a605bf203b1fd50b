"""`codepref train`: a recipe as the program it is, or an adapter merged into its base."""

import argparse
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from codepref.commands.options import RECIPES
from codepref.errors import CodeprefError

TRAINERS = ("sft", "dpo", "kto", "focal_dpo")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("method", nargs="?", choices=TRAINERS, help="recipe to run")
    parser.add_argument("--config", metavar="FILE", help=f"YAML file; examples in {os.path.relpath(RECIPES)}")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="overrides a key of the file")
    parser.add_argument("--accelerate", metavar="FILE", help="`accelerate launch` with this file (several GPUs, nodes)")
    parser.add_argument("--merge", metavar="ADAPTER", help="make a whole model of this adapter instead")
    parser.add_argument("--out", metavar="DIR", help="folder of the merged model")
    parser.add_argument("--dtype", choices=("bfloat16", "float16", "float32"), help="its precision (bfloat16)")
    parser.add_argument("--into", choices=("trained", "original"), help="weights to merge into (trained)")
    parser.add_argument("--push", metavar="ORG/NAME[@TAG]", help="publish the trained model there")


def run(arguments: argparse.Namespace) -> int:
    """Runs a recipe as the program it is; its exit code is ours."""
    if bool(arguments.merge) == bool(arguments.method):
        raise CodeprefError(f"train: give one of {', '.join(TRAINERS)}, or --merge ADAPTER --out DIR")
    if importlib.util.find_spec("trl") is None:
        raise CodeprefError("train: the training libraries are missing; pip install 'codepref[train,tracking]'")
    if arguments.merge and not arguments.out:
        raise CodeprefError("train: give --out DIR, the folder of the merged model")
    command = _command(arguments)
    if not arguments.push:
        return subprocess.run(command, check=False).returncode
    from codepref.publish import hub, release

    folder, where = _trained(arguments), hub.target(arguments.push, "model")
    hub.check_access(where)
    code = subprocess.run(command, check=False).returncode
    if code == 0:
        hub.publish(release.model_release(folder, where.repo_id), where)
    return code


def _command(arguments: argparse.Namespace) -> list[str]:
    """The command of a recipe, or of merging."""
    if arguments.merge:
        options = {"--out": arguments.out, "--dtype": arguments.dtype, "--into": arguments.into}
        words = [word for name, value in options.items() if value for word in (name, value)]
        return [sys.executable, str(RECIPES / "merge.py"), arguments.merge, *words]
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
