"""`codepref train`: a recipe as the program it is, or an adapter merged into its base."""

import argparse
import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from codepref.commands.child import KILLED, ending, finished
from codepref.commands.options import RECIPES, config_file, config_names, offer, shipped_configs, shipped_folder
from codepref.errors import CodeprefError

TRAINERS = ("sft", "dpo", "kto", "focal_dpo")
LESS = "lower per_device_train_batch_size or max_length; checkpoints that were finished are kept"
MISSING = "train: the training libraries are missing; pip install 'codepref[train,tracking]'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("method", nargs="?", choices=TRAINERS, help="recipe to run")
    chosen = parser.add_argument(
        "--config", metavar="FILE_OR_NAME", help="YAML file, or a shipped one: MODEL/METHOD_qlora"
    )
    offer(chosen, lambda _: config_names(RECIPES))
    parser.add_argument("--configs", action="store_true", help="list the shipped configurations and stop")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="overrides a key of the file")
    parser.add_argument("--skip-bad", action="store_true", help="leave out and count rows that can not be trained on")
    parser.add_argument("--check", action="store_true", help="say whether these settings can be used, and stop")
    parser.add_argument("--accelerate", metavar="FILE", help="`accelerate launch` with this file (several GPUs, nodes)")
    parser.add_argument("--merge", metavar="ADAPTER", help="make a whole model of this adapter instead")
    parser.add_argument("--out", metavar="DIR", help="folder of the merged model")
    parser.add_argument("--dtype", choices=("bfloat16", "float16", "float32"), help="its precision (bfloat16)")
    parser.add_argument("--base", metavar="MODEL", help="where its base is now, if that was a folder and has moved")
    parser.add_argument("--into", choices=("trained", "original"), help="weights to merge into (trained)")
    parser.add_argument("--push", metavar="ORG/NAME[@TAG]", help="publish the trained model there")


def run(arguments: argparse.Namespace) -> int:
    """Runs a recipe as the program it is; its exit code is ours."""
    if arguments.configs:
        print(shipped_configs(RECIPES))
        return 0
    if bool(arguments.merge) == bool(arguments.method):
        raise CodeprefError(f"train: give one of {', '.join(TRAINERS)}, or --merge ADAPTER --out DIR")
    if importlib.util.find_spec("trl") is None:
        raise CodeprefError(MISSING)
    if arguments.config:
        arguments.config = config_file(arguments.config, RECIPES)
    if arguments.merge and not arguments.out:
        raise CodeprefError("train: give --out DIR, the folder of the merged model")
    if arguments.check:
        return _check(arguments)
    command = command_of(arguments)
    if not arguments.push:
        return _ended(command)
    from codepref.publish import hub, release

    folder, where = _trained(arguments), hub.target(arguments.push, "model")
    hub.check_access(where)
    code = _ended(command)
    if code == 0:
        hub.publish(release.model_release(folder, where.repo_id), where)
    return code


def _ended(command: Sequence[str]) -> int:
    """Exit code of a recipe, which has said itself what was wrong, unless it could not."""
    code = finished(command)
    if code == KILLED:
        print(f"codepref: error: train: {Path(command[1]).name} {ending(code)}; {LESS}", file=sys.stderr)
    return code


def _check(arguments: argparse.Namespace) -> int:
    if arguments.merge:
        raise CodeprefError("train: --check goes with a recipe, not with --merge")
    (said,) = problems([(arguments.method, recipe_words(arguments))])
    if said is not None:
        raise CodeprefError(said)
    print(f"{arguments.method}: these settings can be used; model and rows were not looked at")
    return 0


def problems(asked: Sequence[tuple[str, Sequence[str]]]) -> list[str | None]:
    """What the recipes say of settings, without a model: one process for all.

    Args:
        asked: Recipe and words of each training.

    Raises:
        CodeprefError: the recipes do not start.
    """
    words = [sys.executable, str(RECIPES / "check.py")]
    done = subprocess.run(words, input=json.dumps(asked), capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise CodeprefError(f"train: the recipes can not be read: {last[0]}")
    found: list[Any] = json.loads(done.stdout)
    return found


def command_of(arguments: argparse.Namespace) -> list[str]:
    """The command of a recipe, or of merging."""
    if arguments.merge:
        options = {
            "--out": arguments.out,
            "--dtype": arguments.dtype,
            "--into": arguments.into,
            "--base": arguments.base,
        }
        words = [word for name, value in options.items() if value for word in (name, value)]
        return [sys.executable, str(RECIPES / "merge.py"), arguments.merge, *words]
    launch = [str(RECIPES / "launch.py"), "--config_file", arguments.accelerate]
    program = [*(launch if arguments.accelerate else ()), str(RECIPES / f"{arguments.method}.py")]
    return [sys.executable, *program, *recipe_words(arguments)]


def recipe_words(arguments: argparse.Namespace) -> list[str]:
    """The words that a recipe is started with."""
    words = ["--config", arguments.config, *_shipped_model(arguments.config)] if arguments.config else []
    for item in arguments.set:
        key, equals, value = item.partition("=")
        if not equals:
            raise CodeprefError(f"--set {item}: expected key=value")
        words += [f"--{key}", *(_values(value) if key != "prompt_template" else [value])]
    words += ["--skip_bad", "true"] if arguments.skip_bad else []
    return words


def _shipped_model(config: str) -> list[str]:
    """Words for a recipe's model that comes with codepref, where its file names it from another folder than this."""
    import yaml

    try:
        stated = yaml.safe_load(Path(config).read_text(encoding="utf-8"))["model_name_or_path"]
        found = shipped_folder(stated)
    except (OSError, yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError):
        return []  # the recipe says what is wrong with its file
    return [] if found == stated else ["--model_name_or_path", found]


def _values(text: str) -> list[str]:
    """The words of a value: several for a list in brackets, as YAML writes it."""
    import yaml

    if not (text.startswith("[") and text.endswith("]")):
        return [text]
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return [text]
    return [str(item) for item in found] if isinstance(found, list) and found else [text]


def _trained(arguments: argparse.Namespace) -> Path:
    """The folder that training is going to leave the model in."""
    if arguments.merge:
        return Path(arguments.out)
    import yaml

    try:
        stated = yaml.safe_load(Path(arguments.config).read_text(encoding="utf-8")) if arguments.config else {}
        given = {}
        for item in arguments.set:
            key, _, value = item.partition("=")
            given[key] = yaml.safe_load(value)
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise CodeprefError(f"{arguments.config}: {' '.join(str(error).split())}; give --config a YAML file") from None
    stated = {**(stated if isinstance(stated, dict) else {}), **given}
    if not stated.get("output_dir"):
        raise CodeprefError("train: --push needs output_dir, in the file or as --set output_dir=DIR")
    return Path(stated["output_dir"])
