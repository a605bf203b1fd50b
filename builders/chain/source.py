"""What every method begins with: seeds, prompts or recorded samples, through the gates, up to candidates."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from builders.chain import decontaminate as contamination
from builders.chain import dry_run as planning
from builders.chain import gates, matrix, seeds
from builders.chain.ask import Count, Generation, generated, prompts, recorded, rows_of
from builders.chain.gates import Gates
from codepref.errors import CodeprefError
from codepref.records import Candidates, Samples
from codepref.stages import Runner
from codepref.store import Stage, Store


@dataclass(frozen=True)
class Intake:
    """Keys of a configuration file that say where candidates come from."""

    generations: str | None = None
    """Recorded samples, a JSON-lines file; this, `prompts` or `seeds`."""
    prompts: str | None = None
    """Prompts to ask the generator for, a JSON-lines file."""
    seeds: str | None = None
    """Source code to make prompts of: a folder, a file of functions, or `hub:ORG/NAME[@revision]:split:column`."""
    max_seeds: Count | None = None
    tasks_per_seed: Count = 1
    generation: Generation | None = None
    codes_per_prompt: Count = 15
    tests_per_prompt: Count = 15
    distinct_codes: bool = False
    distinct_tests: bool = True
    gates: Gates | None = None
    """By default all are shut for `prompts` and `seeds`, and none for `generations`: those are taken as recorded."""
    decontaminate: tuple[str, ...] = ()
    """Benchmarks whose tasks must not get in: humaneval, mbpp, ds1000, bigcodebench, or files of tasks."""
    benchmarks_dir: str | None = None
    """Folder with the files of those benchmarks; by default they come from the Hub, at a pinned revision."""
    seed: int = 0
    shard_size: Count = 32
    """Prompts (or seeds) a shard: what a killed run loses at most, for each worker."""
    licence: str | None = None
    """Licence of the dataset as a whole, for the card; by default the one all prompts name. Also that of the seeds that
    name none."""


def gates_of(config: Intake) -> Gates:
    """The gates of a configuration, defaults applied."""
    chosen = config.gates or (gates.OPEN if config.generations is not None else Gates())
    # the id of a task is the hash of its text: two equal ones, from two seeds, would be one prompt asked for twice
    return chosen if config.seeds is None else replace(chosen, duplicates=True)


def candidates(config: Intake, runner: Runner, skip_bad: bool = False) -> list[Stage]:
    """All stages up to the codes and tests that are run; the rows of the last are `Candidates`.

    Raises:
        CodeprefError: the configuration or the input can not be used.
    """
    _check(config)
    gate = contamination.gate(runner, config.decontaminate, config.benchmarks_dir)
    if config.generations is not None:
        return _candidates(config, runner, _recorded(config, runner, skip_bad, gate), gate)
    generation = _generation(config)
    given = [_prompts(config, runner)] if config.seeds is None else _written(config, runner, generation)
    stages = _gated(config, runner, given, gate)
    codes, tests = config.codes_per_prompt, config.tests_per_prompt
    samples = generated(runner, stages[-1], generation, codes=codes, tests=tests, seed=config.seed)
    return _candidates(config, runner, [*stages, samples], gate)


Shapes = Counter[tuple[int, int]]
"""Number of prompts with so many different codes and tests."""


def plan(config: Intake, skip_bad: bool = False, shapes: Shapes | None = None) -> planning.Plan:
    """What `candidates` would ask, what is run on its result, and what it costs.

    Asks and runs nothing and leaves no file behind. Input and benchmarks are read: the gates decide what is asked.

    Args:
        config: What to build.
        skip_bad: As for `candidates`.
        shapes: The prompts that are run, at most, are counted in it, for methods that run more than the matrix.

    Raises:
        CodeprefError: the configuration or the input can not be used.
    """
    _check(config)
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(Store(Path(folder)), quiet=True)
        shapes = Counter() if shapes is None else shapes
        sizes = config.codes_per_prompt, config.tests_per_prompt
        if config.seeds is not None:
            source = seeds.seeds(runner, config.seeds, config.licence, config.max_seeds, config.shard_size)
            shapes[sizes] += _count(source) * config.tasks_per_seed
            return planning.from_seeds(rows_of(source, seeds.Seed), _generation(config), config.tasks_per_seed, *sizes)
        gate = contamination.gate(runner, config.decontaminate, config.benchmarks_dir)
        if config.generations is not None:
            stages = _candidates(config, runner, _recorded(config, runner, skip_bad, gate), gate)
            shapes.update((len({code.code for code in row.codes}), len(row.tests)) for row in _ready(stages))
            return planning.recorded(_ready(stages))
        stages = _gated(config, runner, [_prompts(config, runner)], gate)
        shapes[sizes] += _count(stages[-1])
        return planning.from_prompts(rows_of(stages[-1], Samples), _generation(config), *sizes)


def _count(stage: Stage) -> int:
    return int(stage.summary()["rows_out"])


def _ready(stages: Sequence[Stage]) -> Iterator[Candidates]:
    return rows_of(stages[-1], Candidates)


def _check(config: Intake) -> None:
    given = [config.generations, config.prompts, config.seeds]
    if sum(source is not None for source in given) != 1:
        raise CodeprefError(
            "configuration: give either generations=FILE (recorded samples), prompts=FILE (to be asked) or "
            "seeds=SOURCE (code to make prompts of)"
        )


def _generation(config: Intake) -> Generation:
    if config.generation is None:
        name = "prompts=FILE" if config.prompts is not None else "seeds=SOURCE"
        raise CodeprefError(f"configuration: {name} needs a 'generation' section that names the model to ask")
    return config.generation


def _recorded(config: Intake, runner: Runner, skip_bad: bool, gate: contamination.Gate | None) -> list[Stage]:
    samples = recorded(runner, str(config.generations), config.shard_size, skip_bad)
    return _gated(config, runner, [samples], gate)


def _prompts(config: Intake, runner: Runner) -> Stage:
    return prompts(runner, str(config.prompts), config.shard_size)


def _written(config: Intake, runner: Runner, generation: Generation) -> list[Stage]:
    source = seeds.seeds(runner, str(config.seeds), config.licence, config.max_seeds, config.shard_size)
    return [source, *seeds.prompts(runner, source, generation, config.tasks_per_seed, config.seed)]


def _gated(config: Intake, runner: Runner, stages: list[Stage], gate: contamination.Gate | None) -> list[Stage]:
    """The stages, and those that leave prompts out."""
    kept = gates.unique(runner, gates_of(config), stages[-1])
    stages = stages if kept is stages[-1] else [*stages, kept]
    return stages if gate is None else [*stages, gate.prompts(kept)]


def _candidates(config: Intake, runner: Runner, stages: list[Stage], gate: contamination.Gate | None) -> list[Stage]:
    sizes = config.codes_per_prompt, config.tests_per_prompt
    selection = matrix.Selection(*sizes, config.distinct_codes, config.distinct_tests)
    ready = runner.map("candidates", matrix.candidates, selection, [stages[-1]])
    return [*stages, ready] if gate is None else [*stages, ready, gate.codes(ready)]
