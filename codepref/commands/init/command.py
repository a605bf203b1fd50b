"""`codepref init DIR`: writes one commented YAML file for one's case, and example input where none is given.

codepref init mine                                        # three example samples: runs as it is
codepref init mine --samples samples.jsonl                # a dataset from samples (or trajectories) you have
codepref init mine --server http://localhost:8000/v1      # a dataset from prompts, written by a server
codepref init mine --model ID_OR_PATH                     # an experiment: dataset, training, scores
codepref init mine --model ID_OR_PATH --seeds src/        # the same, with prompts made of source code
"""

import argparse
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codepref import templates
from codepref.errors import CodeprefError
from codepref.files import BadLine, json_lines, write_whole
from codepref.generate.recorded import CODES, VERSIONS, read_recordings

HERE = Path(__file__).parent
EXAMPLES = HERE / "examples.jsonl"
"""Recorded samples of three prompts; without codes and tests they are three prompts."""
PROMPT_KEYS = ("prompt_id", "prompt", "entry_point")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="where the file goes; made if it is not there")
    parser.add_argument("--samples", type=Path, metavar="FILE", help="samples or trajectories you have")
    parser.add_argument("--server", metavar="URL[,...]", help="an OpenAI-compatible server that writes codes and tests")
    parser.add_argument("--model", metavar="ID_OR_PATH", help="the model to train")
    parser.add_argument("--seeds", metavar="SOURCE", help="source code that prompts are made of, in place of prompts")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0.

    Raises:
        CodeprefError: options that do not go together, samples that can not be read, or a file that is there already.
    """
    files = _experiment(arguments) if _is_experiment(arguments) else _dataset(arguments)
    there = [str(path) for path in files if path.exists()]
    if there:
        raise CodeprefError(f"init: {', '.join(there)}: there already; name another folder, or move it away")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        write_whole(path, text.encode())
        print(f"wrote {path}")
    (configuration,) = (text for path, text in files.items() if path.suffix == ".yaml")
    head = configuration.partition("\n\n")[0]
    print("\n".join(line.removeprefix("#").removeprefix(" ") for line in head.splitlines()))
    return 0


def _is_experiment(arguments: argparse.Namespace) -> bool:
    return arguments.model is not None and arguments.samples is None


def _experiment(arguments: argparse.Namespace) -> dict[Path, str]:
    """The file of `codepref run`, and example prompts where there are no seeds."""
    path = arguments.folder / "experiment.yaml"
    prompts = arguments.folder / "prompts.jsonl"
    values = _values(arguments, path) | {"prompts": str(prompts)}
    files = {path: _rendered("experiment", values)}
    return files if arguments.seeds else files | {prompts: _example_prompts()}


def _dataset(arguments: argparse.Namespace) -> dict[Path, str]:
    """The file of `codepref build`, and example input where none is given."""
    path = arguments.folder / "build.yaml"
    values = _values(arguments, path)
    if arguments.server:
        _refuse_both(arguments, "server", "samples")
        prompts = arguments.folder / "prompts.jsonl"
        files = {path: _rendered("server", values | {"prompts": str(prompts)})}
        return files if arguments.seeds else files | {prompts: _example_prompts()}
    if arguments.seeds:
        _refuse_both(arguments, "seeds", "samples")
        raise CodeprefError("init: --seeds needs who writes prompts, codes and tests: add --server URL or --model NAME")
    samples = arguments.samples or arguments.folder / "samples.jsonl"
    values |= {"samples": str(samples), "example": arguments.samples is None}
    if arguments.samples is None:
        return {path: _rendered("samples", values), samples: EXAMPLES.read_text(encoding="utf-8")}
    kind = "trajectories" if _holds_trajectories(arguments.samples) else "samples"
    return {path: _rendered(kind, values)}


def _refuse_both(arguments: argparse.Namespace, first: str, second: str) -> None:
    if getattr(arguments, first) and getattr(arguments, second):
        raise CodeprefError(f"init: --{first} and --{second} are two ways to begin; give one of them")


def _values(arguments: argparse.Namespace, path: Path) -> dict[str, Any]:
    """What every template may name."""
    return {
        "config": shlex.quote(str(path)),
        "folder": shlex.quote(str(arguments.folder)),
        "out": shlex.quote(str(arguments.folder / "run")),
        "model": arguments.model,
        "servers": arguments.server.split(",") if arguments.server else [],
        "seeds": arguments.seeds,
    }


def _rendered(name: str, values: Mapping[str, Any]) -> str:
    template = templates.environment(folder=HERE).get_template(f"{name}.yaml.jinja")
    return template.render(values) + "\n"


def _example_prompts() -> str:
    """The examples without their answers."""
    text = ""
    for line in EXAMPLES.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        text += json.dumps({key: row[key] for key in PROMPT_KEYS}) + "\n"
    return text


def _holds_trajectories(path: Path) -> bool:
    """Whether a file has `versions` in place of `codes`. Every line is looked at, as the build does.

    Raises:
        CodeprefError: the file can not be read, or lines can not be used.
    """
    try:
        number, row = next(json_lines(path))
    except StopIteration:
        raise CodeprefError(f"{path}: holds no lines; write one JSON object per prompt (docs/formats.md)") from None
    if isinstance(row, BadLine):
        raise CodeprefError(str(row))
    if VERSIONS not in row and CODES not in row:
        raise CodeprefError(f"{path}:{number}: neither 'codes' nor 'versions'; see docs/formats.md for the keys")
    codes = VERSIONS if VERSIONS in row else CODES
    read_recordings(path, codes=codes)
    return codes == VERSIONS
