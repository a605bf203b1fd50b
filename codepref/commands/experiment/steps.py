"""The steps of an experiment: commands that can be typed alone, and what is counted in between."""

import functools
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from codepref.commands.chain import Step
from codepref.commands.experiment import measured
from codepref.commands.experiment.file import BASE, Evaluation, Experiment, Training
from codepref.commands.options import CONFIGS, RECIPES, gpus, near
from codepref.errors import CodeprefError

FILE = "experiment.json"
SCORES = "scores"
"""The last step."""


def planned_steps(experiment: Experiment, out: Path, workers: int) -> Iterator[Step]:
    """All steps, in order.

    Args:
        experiment: What is to be done.
        out: The run's folder.
        workers: Processes a step may use.

    Raises:
        CodeprefError: a recipe is not to be found.
    """
    for name in experiment.datasets:
        yield Step(f"{name} dataset", name, _build(experiment, name, out, workers), needs=())
    if experiment.truth is not None:
        names = tuple(experiment.datasets)
        label = functools.partial(measured.keep_labels, names=names, truth=Path(experiment.truth))
        built = tuple(f"{name} dataset" for name in names)
        about = (experiment.truth, *names)
        yield Step("labels: how often the pairs are right", None, call=label, needs=built, reads=about)
    yield from _evaluations(experiment, out, BASE, None, workers)
    for name, training in experiment.trained().items():
        needs = (f"{training.data} dataset",)
        yield Step(f"{name} training", name, _train(experiment, name, training, out), needs=needs)
        if experiment.backend == "tiny":
            merge = ("train", "--merge", str(out / name), "--out", str(out / f"{name}-merged"), "--dtype", "float32")
            yield Step(f"{name} adapter merged", f"{name}-merged", merge, needs=(f"{name} training",))
        yield from _evaluations(experiment, out, name, out / name, workers)
    count = functools.partial(measured.keep_scores, models=(BASE, *experiment.trained()))
    yield Step(SCORES, None, call=count, again=True)


def share_answers(root: Path, step: Step) -> None:
    """What was answered for one dataset is not drawn again for the next: equal questions have equal answers."""
    kept = sorted(root.glob("*/requests.sqlite"))
    if step.words[0] != "build" or step.folder is None or not kept or (root / step.folder / kept[0].name).exists():
        return
    (root / step.folder).mkdir(exist_ok=True)
    shutil.copy(kept[0], root / step.folder / kept[0].name)


def build_settings(experiment: Experiment, name: str) -> tuple[str, list[str]]:
    """Configuration file of a dataset and the `key=value` items that beat it."""
    dataset = experiment.datasets[name]
    tiny = experiment.backend == "tiny" and experiment.server is None
    given: dict[str, Any] = {"seed": experiment.seed}
    given |= {"prompts": experiment.prompts} if experiment.prompts is not None else {"seeds": experiment.seeds}
    if experiment.server is not None:
        given["generation.server.model"] = experiment.server.model
        given["generation.server.base_url"] = experiment.server.base_url
    elif tiny:
        given["generation.tiny.checkpoint"] = experiment.model
    else:
        given["generation.local.model"] = experiment.model
        given |= {} if experiment.chat is None else {"generation.local.chat": experiment.chat}
    given["decontaminate"] = _graded_on(experiment)
    given |= dotted(dataset.settings)
    config = dataset.config or near(CONFIGS / experiment.method(name) / ("tiny.yaml" if tiny else "best.yaml"))
    return config, _items(given)


def _graded_on(experiment: Experiment) -> list[str]:
    """The benchmarks that prompts must not come from: local copies by path, the others by name."""
    from codepref.benchmarks import FAMILIES

    asked = {name for evaluation in experiment.evaluations.values() for name in evaluation.benchmarks}
    found = []
    for family in FAMILIES:
        names = {family.key, *(variant.name for variant in family.variants)}
        mine = asked & names
        if mine and family.data is not None:
            local = [experiment.data[name] for name in sorted(mine) if name in experiment.data]
            found += local or [family.key]
    return found


def _build(experiment: Experiment, name: str, out: Path, workers: int) -> tuple[str, ...]:
    config, items = build_settings(experiment, name)
    where = ("--workers", str(workers), "--out", str(out / name))
    return ("build", experiment.method(name), "--config", config, *_flags(items), *where)


def dotted(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested keys with dots, so that they do not replace their neighbours."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= dotted(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found


def _items(given: Mapping[str, Any]) -> list[str]:
    return [f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in given.items()]


def _flags(items: list[str]) -> list[str]:
    return [word for item in items for word in ("--set", item)]


def _train(experiment: Experiment, name: str, training: Training, out: Path) -> tuple[str, ...]:
    recipe = experiment.recipe(training)
    given: dict[str, Any] = {
        "model_name_or_path": experiment.model,
        "dataset_name": str(out / training.data),
        "seed": experiment.seed,
        "output_dir": str(out / name),
    }
    if training.config is None and experiment.is_chat():
        given |= {"chat": True, "fenced": True, "prompt_template": None}
    config = training.config or near(recipe_file(experiment, recipe))
    return ("train", recipe, "--config", config, *_flags(_items(given | dict(training.settings))))


def recipe_file(experiment: Experiment, recipe: str) -> Path:
    """The recipe for this model on a GPU where there is one, else the one for any small model on any machine."""
    if experiment.backend == "tiny":
        return RECIPES / "tiny" / f"{recipe}_lora.yaml"
    mine = RECIPES / Path(experiment.model).name.lower().removesuffix("-instruct") / f"{recipe}_qlora.yaml"
    found = mine if mine.exists() and gpus() else RECIPES / "small" / f"{recipe}_lora.yaml"
    if not found.exists():
        raise CodeprefError(f"no recipe {found}; name one: trainings.{recipe}.config=FILE")
    return found


def _evaluations(experiment: Experiment, out: Path, name: str, adapter: Path | None, workers: int) -> Iterator[Step]:
    for way, evaluation in experiment.evaluations.items():
        for benchmark in evaluation.benchmarks:
            where = Path("evaluation") / name / way
            words = ["evaluate", benchmark, *_asked(experiment, name, adapter), *_drawn(evaluation)]
            words += ["--seed", str(experiment.seed), "--workers", str(workers), "--out", str(out / where)]
            if benchmark in experiment.data:
                words += ["--data", experiment.data[benchmark]]
            needs = () if adapter is None else (f"{name} training",)
            yield Step(f"{benchmark}, {way}, {name}", str(where / benchmark), tuple(words), needs=needs)


def _asked(experiment: Experiment, name: str, adapter: Path | None) -> list[str]:
    """Which model is graded, and where it runs."""
    if experiment.server is not None and experiment.server.evaluate:
        model = experiment.server.model if adapter is None else name
        return ["--backend", "server", "--model", model, "--base-url", experiment.server.base_url]
    if experiment.backend == "tiny":
        return ["--backend", "tiny", "--model", experiment.model if adapter is None else f"{adapter}-merged"]
    words = ["--model", experiment.model]
    words += [] if experiment.chat is None else ["--chat" if experiment.chat else "--no-chat"]
    return words if adapter is None else [*words, "--adapter", str(adapter)]


def _drawn(evaluation: Evaluation) -> list[str]:
    options = {"--n": evaluation.n, "--temperature": evaluation.temperature, "--limit": evaluation.limit}
    options |= {"--max-tokens": evaluation.max_tokens, "--batch-size": evaluation.batch_size}
    return [word for option, value in options.items() if value is not None for word in (option, str(value))]
