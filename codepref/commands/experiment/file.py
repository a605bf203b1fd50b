"""What an experiment's file says."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from codepref.commands.options import builder, methods
from codepref.errors import CodeprefError

DEFAULT = Path(__file__).parent / "default.yaml"
"""The experiment of a model and prompts that come without a file."""
Recipe = Literal["dpo", "focal_dpo", "kto", "sft"]
BASE = "base"
"""What the untrained model is called in folders and tables."""
TAKEN = ("evaluation", "logs")
"""Other folders of a run."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
"""Names are folders."""


@dataclass(frozen=True)
class Server:
    """Who answers, where that is not this machine."""

    model: str
    """The name the server knows the model by."""
    base_url: str
    """One or more addresses, with commas between them."""
    evaluate: bool = False
    """Ask the server for the benchmarks too: for the base by `model`, for an adapter by its name in this file."""


@dataclass(frozen=True)
class Dataset:
    """One dataset."""

    method: str | None = None
    """None: the dataset's name is the method's."""
    config: str | None = None
    """A configuration file; None: `best` of the method, or `tiny` for the tiny model."""
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Keys of the configuration that differ."""


@dataclass(frozen=True)
class Training:
    """One adapter."""

    data: str
    """Name of a dataset of this experiment."""
    recipe: Recipe | None = None
    """None: what the dataset's method was made for."""
    config: str | None = None
    """The recipe's file; None: that of the model, or of any small model."""
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """One way of grading all models."""

    benchmarks: Annotated[tuple[str, ...], Field(min_length=1)]
    n: Annotated[int, Field(ge=1)] = 1
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    limit: Annotated[int, Field(ge=1)] | None = None
    """Only the first problems: marked as a part everywhere."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    batch_size: Annotated[int, Field(ge=1)] | None = None
    """Answers that are written side by side on this machine; no answer depends on it."""


@dataclass(frozen=True)
class Budget:
    """What the experiment may cost, and by which rates that is estimated."""

    hours: Annotated[float, Field(gt=0)] | None = None
    """The experiment is refused before it starts if it is estimated to take longer."""
    price_per_hour: Annotated[float, Field(ge=0)] = 0.0
    """Of this machine, in any currency. Tokens of a server have a price of their own in a dataset's settings."""
    tokens_per_second: Annotated[float, Field(gt=0)] | None = None
    """Tokens the model writes, all answers together; None: assumed from its size and this machine."""
    trained_tokens_per_second: Annotated[float, Field(gt=0)] | None = None
    """Tokens a training step goes through; None: assumed likewise."""


@dataclass(frozen=True)
class Experiment:
    """Keys of an experiment's file."""

    model: str
    """A folder, or an id on the Hub: the model that is trained, and asked where no server is named."""
    prompts: str | None = None
    """A file of prompts, or give `seeds`."""
    seeds: str | None = None
    """Source code that CodeDPO makes prompts of: a folder, a file or a column of a Hub dataset."""
    truth: str | None = None
    """A file of hidden tests, JSON lines {"prompt_id", "tests"}: never shown to a model or a ranking, only counted."""
    backend: Literal["local", "tiny"] = "local"
    """Where `model` runs: with transformers, or as the tiny model does."""
    server: Server | None = None
    """Who writes codes and tests in its place."""
    datasets: Annotated[Mapping[Name, Dataset], Field(min_length=1)] = dataclasses.field(default_factory=dict)
    trainings: Mapping[Name, Training] | None = None
    """Name -> adapter; None: one for every dataset, named after its recipe."""
    evaluations: Mapping[Name, Evaluation] = dataclasses.field(default_factory=dict)
    """Name -> a way of grading, e.g. greedy and sampled."""
    chat: bool | None = None
    """Whether the model is asked and trained as a chat model; None: if its tokenizer has a template."""
    data: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Local copies of benchmarks, by name; the others come from the Hub."""
    budget: Budget = Budget()
    seed: int = 0

    def method(self, dataset: str) -> str:
        """The method of a dataset."""
        return self.datasets[dataset].method or dataset

    def recipe(self, training: Training) -> Recipe:
        """The recipe of a training."""
        return training.recipe or builder(self.method(training.data)).RECIPE

    def trained(self) -> dict[str, Training]:
        """The adapters by name."""
        if self.trainings is not None:
            return dict(self.trainings)
        return {self._name(dataset): Training(dataset) for dataset in self.datasets}

    def is_chat(self) -> bool:
        """Whether the model is asked and trained as a chat model.

        Raises:
            GenerationError: its tokenizer is neither here nor on the Hub.
        """
        from codepref.generate.local.prefill import template

        if self.chat is not None or self.backend == "tiny":
            return bool(self.chat)
        return template(self.model) is not None

    def _name(self, dataset: str) -> str:
        recipe = str(builder(self.method(dataset)).RECIPE)
        return recipe if self.datasets[dataset].method is None else f"{recipe}-{dataset}"


def check(experiment: Experiment) -> None:
    """Whether the parts of an experiment fit each other.

    Raises:
        CodeprefError: they do not; the key is named.
    """
    if (experiment.prompts is None) == (experiment.seeds is None):
        raise CodeprefError("give prompts (a file of prompts) or seeds (source code), one of them")
    folder = experiment.model.startswith((".", "/", "~")) or experiment.model.count("/") > 1
    if (folder or experiment.backend == "tiny") and not Path(experiment.model).is_dir():
        raise CodeprefError(f"model: {experiment.model}: no such folder; name one, or ORG/NAME on the Hub")
    for key in ("prompts", "truth"):
        path = getattr(experiment, key)
        if path is not None and not Path(path).is_file():
            raise CodeprefError(f"{key}: {path}: no such file")
    for name in experiment.datasets:
        if experiment.method(name) not in methods():
            known = ", ".join(methods())
            raise CodeprefError(f"datasets.{name}: {experiment.method(name)!r} is no method; choose from {known}")
    for name, training in experiment.trained().items():
        if training.data not in experiment.datasets:
            known = ", ".join(experiment.datasets)
            raise CodeprefError(f"trainings.{name}: no dataset {training.data!r} in this experiment; it has {known}")
        if name in experiment.datasets or name in (BASE, *TAKEN):
            raise CodeprefError(f"trainings.{name}: this name is taken; give the adapter another one")
    for name in {*experiment.datasets, *experiment.trained()}:
        owner = name.removesuffix("-merged")
        if name in TAKEN or (experiment.backend == "tiny" and owner != name and owner in experiment.trained()):
            raise CodeprefError(f"{name}: this name is taken by a folder of the run; give another one")
    _check_graded(experiment)


def _check_graded(experiment: Experiment) -> None:
    from evaluation.catalogue import benchmark

    graded = {name for evaluation in experiment.evaluations.values() for name in evaluation.benchmarks}
    for name, path in experiment.data.items():
        if name not in graded:
            raise CodeprefError(f"data.{name}: not graded in this experiment; it grades {', '.join(sorted(graded))}")
        if not Path(path).exists():
            raise CodeprefError(f"data.{name}: {path}: no such file")
    for way, evaluation in experiment.evaluations.items():
        if evaluation.n > 1 and evaluation.temperature == 0:
            raise CodeprefError(
                f"evaluations.{way}: n above 1 needs a temperature above 0: greedy samples are all the same"
            )
        if len(set(evaluation.benchmarks)) < len(evaluation.benchmarks):
            raise CodeprefError(f"evaluations.{way}: a benchmark is named twice; keep it once")
        for name in evaluation.benchmarks:
            try:
                benchmark(name)
            except CodeprefError as error:
                raise CodeprefError(f"evaluations.{way}: {error}") from None
