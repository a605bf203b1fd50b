"""CodeFlow: pairs of a failing and a repaired program, with the place of the error (Wu et al., arXiv 2503.02783).

A program is run, what fails is told to the model, and the model repairs it, up to five times. The passing version is
chosen, an earlier failing one rejected. They differ where the error was, and the spans of that difference are columns:
focal training looks at the rejected tokens there and nowhere else (`codepref/focus.py`).

Where the paper is silent, or we depart from it:

- Programs and tests are asked for in separate requests, so that tests are not written to fit the program. Prompts may
  bring tests of their own. Tests that a function returning None passes are left out.
- The model is told the first test that fails, the value it got or the exception with the lines it came through
  (`builders/codeflow/feedback.py`); what is asked stands in `builders/prompts/refine.jinja`.
- Recorded trajectories are verified by running them: labels come from here, never from the file.
- The rejected version is drawn from all failing ones that are programs (the paper's best choice, Table 20), by a seeded
  hash. One pair a trajectory, but for `rejected: all`.
- D- is what an exact longest common subsequence of lines leaves over (`builders/codeflow/linediff.py`), within the
  program and nothing else: no fence, no prompt.
- Filters stand in `builders/codeflow/filters.py`, in the paper's order. Docstrings count as comments. A repair that
  only inserts lines has an empty D-, of which the paper says nothing: left out by default, and counted.
- The judge is optional; its answer is kept in the row. It is asked after duplicates are removed, which changes nothing
  but its price. Decontamination covers prompts and all versions; the paper names none.
- `kto`: of every solved trajectory the passing version is desirable, the failing ones are undesirable. Where nothing
  passed the tests may be wrong, so those versions have no label.
"""

import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from builders.chain import gates, source
from builders.chain.ask import Count, Question, rows_of
from builders.chain.dry_run import BuildPlan
from builders.chain.seeds import Seed
from builders.chain.source import Recordings, Source
from builders.codeflow import card, dry_run, trajectories
from builders.codeflow.filters import Filters
from builders.codeflow.judge import Judge, judge_pairs
from builders.codeflow.loop import REFINE, Loop, debug_rounds, first_questions, refinement, start_debugging
from builders.codeflow.pairs import Choice, LabelledVersion, RepairPair, RepairPairRule, label_versions, pair_versions
from builders.codeflow.spans import Focus
from builders.codeflow.trajectories import History, Running, Trajectory
from builders.codeflow.vote import Repair, mend_tests
from codepref.errors import CodeprefError
from codepref.files import file_hash
from codepref.generate.recorded import VERSIONS
from codepref.publish import cards, dataset
from codepref.records import Samples
from codepref.sandbox import Limits
from codepref.stages import Runner
from codepref.store import Stage, Store

RECIPE = "focal_dpo"
"""What its pairs are made for: the recipe that `codepref run` trains with."""
CITATION = """@inproceedings{wu2025codeflow,
  title     = {Teaching Your Models to Understand Code via Focal Preference Alignment},
  author    = {Wu, Jie and Li, Haoling and Zhang, Xin and others},
  booktitle = {Proceedings of the 2025 Conference on Empirical Methods in Natural Language Processing},
  year      = {2025},
  note      = {arXiv:2503.02783}
}"""

SUMMARY = """Preference pairs for code models, made as CodeFlow makes them: a model repaired its program until all \
tests passed; the passing version is preferred to a failing one, and spans of what differs say where the error was."""


@dataclass(frozen=True)
class Config(Source):
    """Keys of a CodeFlow configuration file, besides those of `Source`."""

    trajectories: str | None = None
    """Recorded trajectories, a JSON-lines file; this, `prompts` or `seeds`."""
    tests_per_prompt: Annotated[int, Field(ge=0)] = 1
    """Answers with tests asked for each prompt; 0 where all prompts bring theirs."""
    rounds: Count = 5
    """Repairs at most."""
    refine_template: str = REFINE
    repair: Repair = Repair()  # noqa: RUF009 - frozen
    rejected: Choice = "random"
    """Which failing version is rejected."""
    focus: Focus = "line"
    """What the spans of the difference are: lines, tokens in them, or syntax nodes."""
    filters: Filters = Filters()  # noqa: RUF009 - frozen
    judge: Judge | None = None
    limits: Limits = Limits()  # noqa: RUF009 - frozen
    pretty_name: str = "CodeFlow preference pairs"


def build(config: Config, runner: Runner, *, skip_bad: bool = False) -> dict[str, Any]:
    """Builds the dataset.

    Args:
        config: What to build.
        runner: Who does the work, and where the stages go (`codepref.stages.locked_runner`). A finished or interrupted
            run of the same configuration is continued.
        skip_bad: Leave out (and count) bad lines of the trajectories instead of refusing the file.

    Returns:
        The manifest.

    Raises:
        CodeprefError: the configuration or the input can not be used.
    """
    _check(config)
    stages = _histories(config, runner, skip_bad)
    histories = stages[-1]
    parts, rest = _parts(config, runner, stages)
    chain = (*stages, *rest)
    made = cards.Card(
        pretty_name=config.pretty_name,
        summary=SUMMARY,
        citation=CITATION,
        method=__doc__ or "",
        licence=config.licence,
        tags=("dpo", "kto", "preference", "code", "synthetic", "codeflow"),
        sections=card.sections(runner.store.root, histories, chain, parts["kto"][0]),
    )
    return dataset.publish_locally(runner.store, "codeflow", config, chain, made, parts)


def _recordings(config: Config) -> Recordings:
    return Recordings("trajectories", config.trajectories, VERSIONS)


def _check(config: Config) -> None:
    source.check_source(config, _recordings(config))
    if config.trajectories is not None and config.repair.enabled:
        raise CodeprefError("configuration: repair.enabled needs a model to ask; recorded trajectories have none")


def _histories(config: Config, runner: Runner, skip_bad: bool) -> list[Stage]:
    """All stages up to verified trajectories; the rows of the last are `History`."""
    recordings = _recordings(config)
    gate = source.decontamination(config, runner)
    stages = source.prompt_stages(config, recordings, runner, skip_bad, gate)
    running = Running(config.limits, vacuous=source.gates_of(config, recordings).vacuous_tests)
    if config.generation is None or config.trajectories is not None:
        stages.append(runner.map("versions", trajectories.begun, None, [stages[-1]], here=True))
        stages.append(runner.map("informative_tests", trajectories.keep_informative, running, [stages[-1]]))
        stages.append(runner.map("run", trajectories.verify_versions, running, [stages[-1]]))
    else:
        loop = Loop(config.tests_per_prompt, config.rounds, config.refine_template)
        stages += start_debugging(runner, stages[-1], loop, config.generation, running, config.seed)
        if config.repair.enabled:
            stages += mend_tests(runner, stages[-1], config.repair, config.generation, running, config.seed)
        stages += debug_rounds(runner, stages[-1], loop, config.generation, running, config.seed)
    if gate is not None:
        clean = partial(trajectories.clean_versions, gate.tasks.path)
        stages.append(runner.map("clean_versions", clean, gate.rule, [stages[-1]]))
    return stages


def _parts(
    config: Config, runner: Runner, stages: list[Stage]
) -> tuple[dict[str, tuple[Stage, type]], tuple[Stage, ...]]:
    """The dataset's configs, and the stages that lead to them from the trajectories."""
    histories = stages[-1]
    tokenizer = config.filters.tokenizer
    settings = replace(config.filters, tokenizer=tokenizer and file_hash(tokenizer))
    rule = RepairPairRule(config.rejected, config.focus, settings, config.seed)
    drawn = runner.map("pairs", partial(pair_versions, tokenizer), rule, [histories])
    chain = [drawn, gates.keep_distinct(runner, "distinct", drawn, ("prompt", "chosen", "rejected"), "pair")]
    if config.judge is not None:
        chain += judge_pairs(runner, config.judge, chain[-1], config.seed)
    rows = runner.map("trajectories", trajectories.trajectories, None, [histories], here=True)
    labels = runner.map("labelled", label_versions, None, [histories], here=True)
    once = gates.keep_distinct(runner, "kto", labels, ("prompt", "completion"), "code")
    parts = {"pairs": (chain[-1], RepairPair), "kto": (once, LabelledVersion), "trajectories": (rows, Trajectory)}
    return parts, (*chain, rows, labels, once)


def plan(config: Config, *, skip_bad: bool = False) -> BuildPlan:
    """What `build` would ask and run, and what it costs. Asks and runs nothing and leaves no file behind.

    Raises:
        CodeprefError: the configuration or the input can not be used.
    """
    _check(config)
    recordings = _recordings(config)
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(Store(Path(folder)), quiet=True)
        if config.seeds is not None:
            return _plan(config, rows_of(source.seeds_of(config, runner), Seed), config.tasks_per_seed)
        gate = source.decontamination(config, runner)
        stages = source.prompt_stages(config, recordings, runner, skip_bad, gate)
        if config.trajectories is None:
            return _plan(config, rows_of(stages[-1], Samples), None)
        begun = runner.map("versions", trajectories.begun, None, [stages[-1]])
        return dry_run.plan_trajectories(rows_of(begun, History))


def _plan(config: Config, rows: Any, tasks: int | None) -> BuildPlan:
    assert config.generation is not None
    loop = Loop(config.tests_per_prompt, config.rounds, config.refine_template)
    votes = [Question("vote", config.generation.code_template, config.repair.programs)] if config.repair.enabled else []
    again = [*votes, *(refinement(loop, number) for number in range(1, config.rounds + 1))]
    return dry_run.plan_loop(rows, config.generation, tasks, first_questions(loop, config.generation), again)
