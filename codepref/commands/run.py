"""`codepref run`: an experiment from one file: datasets, training, evaluation before and after, one page.

Every step is a command that can be typed alone. What was finished is kept: the same call goes on from there.
"""

import argparse
import dataclasses
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from codepref.commands.chain import Chain, Step, Way, typed
from codepref.commands.options import CONFIGS, RECIPES, cores, methods, positive
from codepref.config import load
from codepref.errors import CodeprefError

FILE = "experiment.json"
PAGE = "report.html"
Recipe = Literal["dpo", "focal_dpo", "kto", "sft"]
RECIPE_OF: dict[str, Recipe] = {"codedpo": "dpo", "codeflow": "focal_dpo", "dstc": "kto"}
"""What a method's dataset is trained with, where the file does not say."""


@dataclass(frozen=True)
class Server:
    """Who answers, where that is not this machine."""

    model: str
    """The name the server knows it by."""
    base_url: str
    """One or more addresses, with commas between them."""


@dataclass(frozen=True)
class Training:
    """One adapter."""

    recipe: Recipe
    data: str
    """Name of a dataset of this experiment."""
    config: str | None = None
    """The recipe's YAML file; None: that of the model, or of any model on this machine."""
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """How models are graded, before and after."""

    benchmarks: tuple[str, ...] = ("humaneval_plus", "mbpp_plus")
    n: Annotated[int, Field(ge=1)] = 1
    temperature: Annotated[float, Field(ge=0)] = 0.0
    limit: Annotated[int, Field(ge=1)] | None = None
    """Only the first problems: marked as a part everywhere."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    data: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Local copies of benchmarks, by name."""


@dataclass(frozen=True)
class Experiment:
    """Keys of an experiment's file."""

    model: str
    """A folder, or an id on the Hub: the model that is trained, and asked where no server is named."""
    prompts: str
    """A file of prompts."""
    backend: Literal["local", "tiny"] = "local"
    """Where `model` runs: with transformers, or as the tiny model does."""
    server: Server | None = None
    """Who writes codes and tests in its place."""
    datasets: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=lambda: {"codedpo": {}})
    """Method -> keys of its configuration that differ from its default; `config` names another file."""
    trainings: Mapping[str, Training] | None = None
    """Name -> adapter; None: one for every dataset, with the recipe its method was made for."""
    evaluation: Evaluation = Evaluation()
    seed: int = 0

    def trained(self) -> dict[str, Training]:
        """The adapters."""
        if self.trainings is not None:
            return dict(self.trainings)
        return {RECIPE_OF[method]: Training(RECIPE_OF[method], method) for method in self.datasets}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("experiment", nargs="?", metavar="FILE", help="YAML file")
    parser.add_argument("--model", metavar="ID_OR_PATH", help="the model to train, in place of the file's")
    parser.add_argument("--prompts", metavar="FILE", help="prompts, in place of the file's")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="overrides a key of the file")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the run's folder (runs/NAME)")
    parser.add_argument("--workers", type=positive, default=cores(), metavar="N", help="processes (%(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="print the steps, and what the datasets would cost")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0.

    Raises:
        CodeprefError: the file can not be used, or a step fails; what was finished is kept.
    """
    given = {"model": arguments.model, "prompts": arguments.prompts}
    words = [f"{key}={json.dumps(value)}" for key, value in given.items() if value is not None]
    experiment = load(Experiment, arguments.experiment, [*words, *arguments.set])
    check(experiment)
    out = arguments.out or Path("runs") / Path(arguments.experiment or experiment.model).stem
    planned = list(steps(experiment, out, arguments.workers))
    if arguments.dry_run:
        return _dry_run(experiment, planned)
    out.mkdir(parents=True, exist_ok=True)
    about = {"experiment": json.loads(json.dumps(dataclasses.asdict(experiment)))}
    chain = Chain(out, FILE, about, Way(before=_share_answers))
    chain.run(planned, shlex.join(map(str, sys.argv[1:])))
    print(_closing(chain.told, out))
    return 0


def check(experiment: Experiment) -> None:
    """Raises `CodeprefError` where the parts of an experiment do not fit each other."""
    for method in experiment.datasets:
        if method not in methods():
            raise CodeprefError(f"datasets: {method!r} is no method; choose from {', '.join(methods())}")
    for name, training in experiment.trained().items():
        if training.data not in experiment.datasets:
            known = ", ".join(experiment.datasets)
            raise CodeprefError(f"trainings.{name}: no dataset {training.data!r} in this experiment; it has {known}")


def steps(experiment: Experiment, out: Path, workers: int) -> Iterator[Step]:
    """All steps, in order."""
    for method, keys in experiment.datasets.items():
        yield Step(f"{method} dataset", method, _build(experiment, method, keys, out, workers))
    yield from _evaluations(experiment, out, "base", None, workers)
    for name, training in experiment.trained().items():
        yield Step(f"{name} training", name, _train(experiment, name, training, out))
        if experiment.backend == "tiny":
            merge = ("train", "--merge", str(out / name), "--out", str(out / f"{name}-merged"), "--dtype", "float32")
            yield Step(f"{name} adapter merged", f"{name}-merged", merge)
        yield from _evaluations(experiment, out, name, out / name, workers)
    yield Step("scores", None, call=keep_scores, again=True)


def _build(experiment: Experiment, method: str, keys: Mapping[str, Any], out: Path, workers: int) -> tuple[str, ...]:
    given: dict[str, Any] = {"prompts": experiment.prompts, "seed": experiment.seed}
    if experiment.server is not None:
        given["generation.server.model"] = experiment.server.model
        given["generation.server.base_url"] = experiment.server.base_url
    elif experiment.backend == "tiny":
        given["generation.tiny.checkpoint"] = experiment.model
    else:
        given["generation.local.model"] = experiment.model
    given |= {key: value for key, value in keys.items() if key != "config"}
    usual = "tiny" if experiment.backend == "tiny" else "best"
    config = keys.get("config", CONFIGS / method / f"{usual}.yaml")
    return (
        "build", method, "--config", str(config), *_settings(given),
        "--workers", str(workers), "--out", str(out / method),
    )  # fmt: skip


def _settings(given: Mapping[str, Any]) -> list[str]:
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in given.items()}
    return [word for key, text in texts.items() for word in ("--set", f"{key}={text}")]


def _train(experiment: Experiment, name: str, training: Training, out: Path) -> tuple[str, ...]:
    given = {
        "model_name_or_path": experiment.model,
        "dataset_name": str(out / training.data),
        "seed": experiment.seed,
        "output_dir": str(out / name),
        **training.settings,
    }
    config = training.config or str(_recipe(experiment, training.recipe))
    return ("train", training.recipe, "--config", config, *_settings(given))


def _recipe(experiment: Experiment, recipe: str) -> Path:
    """The recipe's file for this model where there is one, else the one for small models on any machine."""
    folder = RECIPES / Path(experiment.model).name.lower().removesuffix("-instruct")
    if experiment.backend == "tiny":
        return RECIPES / "tiny" / f"{recipe}_lora.yaml"
    found = folder / f"{recipe}_qlora.yaml"
    if not found.exists():
        raise CodeprefError(f"no recipe {found}; name one: trainings.{recipe}.config=FILE")
    return found


def _evaluations(experiment: Experiment, out: Path, name: str, adapter: Path | None, workers: int) -> Iterator[Step]:
    asked = experiment.evaluation
    model = experiment.model
    if adapter is not None and experiment.backend == "tiny":
        model, adapter = f"{adapter}-merged", None
    for benchmark in asked.benchmarks:
        where = Path("evaluation") / name
        words = [
            "evaluate", benchmark, "--model", model, "--backend", experiment.backend, "--n", str(asked.n),
            "--temperature", str(asked.temperature), "--seed", str(experiment.seed), "--workers", str(workers),
            "--out", str(out / where),
        ]  # fmt: skip
        options: dict[str, Any] = {"--adapter": adapter, "--limit": asked.limit, "--max-tokens": asked.max_tokens}
        options["--data"] = asked.data.get(benchmark)
        words += [word for option, value in options.items() if value is not None for word in (option, str(value))]
        yield Step(f"{benchmark}, {name}", str(where / benchmark), tuple(words))


def keep_scores(root: Path) -> dict[str, Any]:
    """Scores of all models by benchmark, and what each adapter gained, paired by task."""
    from evaluation import compare

    told: dict[str, Any] = {"scores": [], "gains": []}
    base = root / "evaluation" / "base"
    for folder in sorted((root / "evaluation").glob("*/*/results.json")):
        found = json.loads(folder.read_text(encoding="utf-8"))
        model, benchmark = folder.parent.parent.name, folder.parent.name
        told["scores"].append({"model": model, "benchmark": benchmark, "pass@1": found["score"]["pass@1"]})
        if model != "base":
            pair = compare.compare_runs(base / benchmark, folder.parent)
            told["gains"].append({"model": model, **pair})
    return told


def _share_answers(root: Path, step: Step) -> None:
    """What was answered for one dataset is not drawn again for the next: equal questions have equal answers."""
    kept = sorted(root.glob("*/requests.sqlite"))
    if step.words[0] != "build" or step.folder is None or not kept or (root / step.folder / kept[0].name).exists():
        return
    (root / step.folder).mkdir(exist_ok=True)
    shutil.copy(kept[0], root / step.folder / kept[0].name)


def _dry_run(experiment: Experiment, planned: list[Step]) -> int:
    """The commands, and what each dataset would ask and cost."""
    for number, step in enumerate(planned, 1):
        print(f"[{number}/{len(planned)}] {step.name}" + (f"\n  {typed(step.words)}" if step.words else ""), flush=True)
        if step.words[:1] == ("build",):
            command = [sys.executable, "-m", "codepref.cli", *step.words, "--dry-run"]
            code = subprocess.run(command, check=False).returncode
            if code:
                return code
    return 0


def _closing(told: Mapping[str, Any], root: Path) -> str:
    lines = [""]
    for score in told["scores"]:
        value, low, high = (100 * score["pass@1"][key] for key in ("value", "low", "high"))
        lines.append(f"{score['benchmark']:<18}{score['model']:<12}{value:5.1f} [{low:.1f}, {high:.1f}]")
    for gain in told["gains"]:
        shown = f"{gain['difference']:+.1f} [{gain['low']:+.1f}, {gain['high']:+.1f}]"
        won = f"won {len(gain['wins'])}, lost {len(gain['losses'])}"
        lines.append(f"{gain['benchmark']:<18}gain, {gain['model']:<6}{shown}   {won}")
    return "\n".join([*lines, "", f"scores    {root / FILE}"])
