"""Whether the settings of an experiment's datasets and trainings are what builds and recipes take, before it starts."""

import argparse
import importlib.util
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from codepref.commands import train
from codepref.commands.chain import Step
from codepref.commands.experiment import measured
from codepref.commands.experiment.file import Experiment
from codepref.commands.experiment.steps import build_settings, dotted
from codepref.commands.options import RECIPES, builder, config_file
from codepref.config import load, place
from codepref.errors import CodeprefError

ARGPARSE = re.compile(r"^argument --(\w+)\S*: invalid (\w+) value: ")
"""How argparse words a value of the wrong kind."""


def check_parts(experiment: Experiment) -> None:
    """Whether the files that later steps read can be used, before the first one takes hours.

    Raises:
        CodeprefError: one can not; it is named.
    """
    if experiment.truth is not None:
        measured.read_truth(Path(experiment.truth))
    for name, training in experiment.trained().items():
        recipe = config_file(training.config, RECIPES) if training.config is not None else None
        if recipe is not None and not Path(recipe).is_file():
            raise CodeprefError(f"trainings.{name}.config: {recipe}: no such file")


def check_datasets(experiment: Experiment, path: Path, overrides: Sequence[str]) -> None:
    """Whether the configuration of every dataset can be read.

    Args:
        experiment: What the file says.
        path: The file.
        overrides: What beats it.

    Raises:
        CodeprefError: one can not; the file's line and key are named.
    """
    for name, dataset in experiment.datasets.items():
        config, items = build_settings(experiment, name)
        try:
            load(builder(experiment.method(name)).Config, config, items)
        except CodeprefError as error:
            raise _worded(str(error), ("datasets", name), dataset.settings, path, overrides) from None


def check_trainings(experiment: Experiment, planned: Sequence[Step], path: Path, overrides: Sequence[str]) -> None:
    """Whether the recipes take the settings of the trainings: their own reading of them, without a model.

    Trainings with nothing of their own are not looked at: the shipped recipes are known to be good.

    Args:
        experiment: What the file says.
        planned: Its steps.
        path: The file.
        overrides: What beats it.

    Raises:
        CodeprefError: one is not taken, or the training libraries are missing.
    """
    own = {name: item for name, item in experiment.trained().items() if item.settings or item.config}
    steps = {step.folder: step for step in planned if step.words[:1] == ("train",)}
    if not own:
        return
    if importlib.util.find_spec("trl") is None:
        raise CodeprefError(train.MISSING)
    found = train.problems([_recipe_words(steps[name]) for name in own])
    for (name, item), said in zip(own.items(), found, strict=True):
        if said is not None:
            raise _worded(said, ("trainings", name), item.settings, path, overrides)


def _recipe_words(step: Step) -> tuple[str, list[str]]:
    """The recipe of a training, and the words it is started with."""
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    arguments = parser.parse_args(step.words[1:])
    arguments.config = config_file(arguments.config, RECIPES)
    return arguments.method, train.recipe_words(arguments)


def _worded(
    said: str, names: tuple[str, str], settings: Mapping[str, Any], path: Path, overrides: Sequence[str]
) -> CodeprefError:
    """An error of one part of an experiment, at the line of the key that it speaks of."""
    meant = [key for key in dotted(settings) if key in said]
    if not meant:
        return CodeprefError(f"{place(path, overrides, names)}: {'.'.join(names)}: {said}")
    inner = (*names, "settings", *max(meant, key=len).split("."))
    where, _, problem = said.partition(": ")
    if set(where.split(" and ")) & set(meant):  # else the place in a command that nobody has typed
        problem = said
    problem = ARGPARSE.sub(r"\1: not a \2: ", problem)
    return CodeprefError(f"{place(path, overrides, inner)}: {'.'.join(names)}.settings: {problem}")
