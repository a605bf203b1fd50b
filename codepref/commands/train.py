"""`codepref train`: a recipe as the program it is, or an adapter merged into its base."""

import argparse
import importlib.util
import os
import subprocess
import sys

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


def run(arguments: argparse.Namespace) -> int:
    """Runs a recipe as the program it is; its exit code is ours."""
    if bool(arguments.merge) == bool(arguments.method):
        raise CodeprefError(f"train: give one of {', '.join(TRAINERS)}, or --merge ADAPTER --out DIR")
    if importlib.util.find_spec("trl") is None:
        raise CodeprefError("train: the training libraries are missing; pip install 'codepref[train,tracking]'")
    if arguments.merge:
        if not arguments.out:
            raise CodeprefError("train: give --out DIR, the folder of the merged model")
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
    return subprocess.run(command, check=False).returncode
