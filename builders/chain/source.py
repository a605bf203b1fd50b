"""Where the chain begins: seeds, prompts or recorded samples, through the gates, up to prompts that may become rows."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from builders.chain import decontaminate, dry_run, gates, matrix, seeds
from builders.chain.ask import Count, Generation, generated_stage, prompt_stage, recorded_stage, rows_of
from builders.chain.gates import Gates
from codepref.errors import CodeprefError
from codepref.generate.recorded import CODES
from codepref.records import Candidates, Samples
from codepref.stages import Runner
from codepref.store import Stage, Store


@dataclass(frozen=True)
class Source:
    """Keys of a configuration file that all methods have: where prompts come from, and which may become rows."""

    prompts: str | None = None
    """Prompts to ask the generator for, a JSON-lines file; a prompt may bring `tests` for methods that take them."""
    seeds: str | None = None
    """Source code to make prompts of: a folder, a file of functions, or `hub:ORG/NAME[@revision]:split:column`."""
    max_seeds: Count | None = None
    tasks_per_seed: Count = 1
    generation: Generation | None = None
    gates: Gates | None = None
    """By default all are shut for `prompts` and `seeds`, and none for recordings: those are taken as recorded."""
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


@dataclass(frozen=True)
class Recordings:
    """The key of a configuration that names a file of recordings, and its value."""

    key: str
    path: str | None
    codes: str = CODES
    """Key of the file's lines that holds programs (`codepref.generate.recorded`)."""


def check_source(config: Source, recordings: Recordings) -> None:
    """Exactly one source is given, and a model to ask where one has to be asked.

    Raises:
        CodeprefError: it is not so.
    """
    given = [recordings.path, config.prompts, config.seeds]
    if sum(source is not None for source in given) != 1:
        raise CodeprefError(
            f"configuration: give either {recordings.key}=FILE (recorded), prompts=FILE (to be asked) or seeds=SOURCE "
            "(code to make prompts of)"
        )
    if recordings.path is None and config.generation is None:
        name = "prompts=FILE" if config.prompts is not None else "seeds=SOURCE"
        raise CodeprefError(f"configuration: {name} needs a 'generation' section that names the model to ask")


def gates_of(config: Source, recordings: Recordings) -> Gates:
    """The gates of a configuration, defaults applied."""
    chosen = config.gates or (gates.OPEN if recordings.path is not None else Gates())
    # the id of a task is the hash of its text: two equal ones, from two seeds, would be one prompt asked for twice
    return chosen if config.seeds is None else replace(chosen, duplicates=True)


def decontamination(config: Source, runner: Runner) -> decontaminate.Gate | None:
    """The gate against benchmarks, if some are named."""
    return decontaminate.gate(runner, config.decontaminate, config.benchmarks_dir)


def prompt_stages(
    config: Source, recordings: Recordings, runner: Runner, skip_bad: bool, gate: decontaminate.Gate | None
) -> list[Stage]:
    """All stages up to prompts that may become rows; recorded ones have their samples already.

    Raises:
        CodeprefError: the input can not be used.
    """
    if recordings.path is not None:
        stages = [recorded_stage(runner, recordings.path, config.shard_size, skip_bad, recordings.codes)]
    elif config.prompts is not None:
        stages = [prompt_stage(runner, config.prompts, config.shard_size)]
    else:
        seeded = seeds_of(config, runner)
        assert config.generation is not None
        stages = [seeded, *seeds.ask_for_tasks(runner, seeded, config.generation, config.tasks_per_seed, config.seed)]
    kept = gates.keep_unique(runner, gates_of(config, recordings), stages[-1])
    if kept is not stages[-1]:
        stages.append(kept)
    if gate is not None:
        stages.append(gate.prompts(kept))
    return stages


def seeds_of(config: Source, runner: Runner) -> Stage:
    """Stage `seeds`."""
    return seeds.seed_stage(runner, str(config.seeds), config.licence, config.max_seeds, config.shard_size)


@dataclass(frozen=True)
class SampledSource(Source):
    """Keys of methods that take several codes and tests of each prompt, drawn independently."""

    generations: str | None = None
    """Recorded samples, a JSON-lines file; this, `prompts` or `seeds`."""
    codes_per_prompt: Count = 15
    tests_per_prompt: Count = 15
    test_answers: Count | None = None
    """Answers with tests that are asked for; chat models put several tests into one. None: `tests_per_prompt`."""
    distinct_codes: bool = False
    distinct_tests: bool = True
    prompt_examples: bool = False
    """Whether examples in a prompt's text (doctests, `f(2) == 4`, asserts) are run as tests of known truth, unless a
    model made the prompt of a seed. Those under the key `examples` of a prompt's line always are."""


def recordings_of(config: SampledSource) -> Recordings:
    """The recordings of a configuration."""
    return Recordings("generations", config.generations)


def answers_of(config: SampledSource) -> int:
    """How many answers with tests a prompt is asked for."""
    return config.tests_per_prompt if config.test_answers is None else config.test_answers


def candidate_stages(config: SampledSource, runner: Runner, skip_bad: bool = False) -> list[Stage]:
    """All stages up to the codes and tests that are run; the rows of the last are `Candidates`.

    Raises:
        CodeprefError: the configuration or the input can not be used.
    """
    recordings = recordings_of(config)
    check_source(config, recordings)
    gate = decontamination(config, runner)
    stages = prompt_stages(config, recordings, runner, skip_bad, gate)
    if config.generations is None:
        assert config.generation is not None
        codes, answers = config.codes_per_prompt, answers_of(config)
        stages.append(
            generated_stage(runner, stages[-1], config.generation, codes=codes, tests=answers, seed=config.seed)
        )
    return _candidates(config, runner, stages, gate)


def _candidates(
    config: SampledSource, runner: Runner, stages: list[Stage], gate: decontaminate.Gate | None
) -> list[Stage]:
    sizes = config.codes_per_prompt, config.tests_per_prompt
    selection = matrix.Selection(*sizes, config.distinct_codes, config.distinct_tests, reads_examples(config))
    ready = runner.map("candidates", matrix.select_candidates, selection, [stages[-1]])
    return [*stages, ready] if gate is None else [*stages, ready, gate.codes(ready)]


def reads_examples(config: SampledSource) -> bool:
    """Whether examples are read in prompts: what a model wrote itself is no known truth."""
    return config.prompt_examples and config.seeds is None


def outcome_stages(
    config: SampledSource, runner: Runner, execution: matrix.Execution, vacuous_tests: bool, skip_bad: bool = False
) -> list[Stage]:
    """All stages up to the matrix: the last two have the codes and tests that count, and what came of running them.

    Args:
        config: Where samples come from.
        runner: Who does the work.
        execution: How codes are run on tests.
        vacuous_tests: Whether tests that a function returning None passes are left out.
        skip_bad: Leave out (and count) bad lines of the recordings instead of refusing the file.

    Raises:
        CodeprefError: the configuration or the input can not be used.
    """
    stages = candidate_stages(config, runner, skip_bad)
    ready = stages[-1]
    ran = runner.map("outcomes", matrix.run_matrices, execution, [ready])
    return [*stages, ran, *gates.informative_tests(runner, ready, ran, vacuous_tests)]


Shapes = Counter[tuple[int, int, bool]]
"""Number of prompts with so many different codes and tests, and whether they ask for programs that read input."""


def plan_candidates(config: SampledSource, skip_bad: bool = False, shapes: Shapes | None = None) -> dry_run.BuildPlan:
    """What `candidates` would ask, what is run on its result, and what it costs.

    Asks and runs nothing and leaves no file behind. Input and benchmarks are read: the gates decide what is asked.

    Args:
        config: What to build.
        skip_bad: As for `candidates`.
        shapes: The prompts that are run, at most, are counted in it, for methods that run more than the matrix.

    Raises:
        CodeprefError: the configuration or the input can not be used.
    """
    recordings = recordings_of(config)
    check_source(config, recordings)
    shapes = Counter() if shapes is None else shapes
    sizes = config.codes_per_prompt, config.tests_per_prompt
    asked = dry_run.Sizes(config.codes_per_prompt, answers_of(config), config.tests_per_prompt)
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(Store(Path(folder)), quiet=True)
        if config.seeds is not None:
            seeded = seeds_of(config, runner)
            shapes[*sizes, False] += _count(seeded) * config.tasks_per_seed
            assert config.generation is not None
            rows = rows_of(seeded, seeds.Seed)
            return dry_run.plan_seeds(rows, config.generation, config.tasks_per_seed, asked)
        gate = decontamination(config, runner)
        stages = prompt_stages(config, recordings, runner, skip_bad, gate)
        if config.generations is not None:
            stages = _candidates(config, runner, stages, gate)
            shapes.update(_shape(row) for row in _ready(stages))
            return dry_run.plan_recorded(_ready(stages))
        shapes.update((*sizes, not row.entry_point) for row in rows_of(stages[-1], Samples))
        examples = sum(len(matrix.examples_of(row, reads_examples(config))) for row in rows_of(stages[-1], Samples))
        assert config.generation is not None
        return dry_run.plan_prompts(rows_of(stages[-1], Samples), config.generation, asked, examples)


def _shape(row: Candidates) -> tuple[int, int, bool]:
    return len({code.code for code in row.codes}), len(row.tests), not row.entry_point


def _count(stage: Stage) -> int:
    return int(stage.summary()["rows_out"])


def _ready(stages: Sequence[Stage]) -> Iterator[Candidates]:
    return rows_of(stages[-1], Candidates)
