"""CodeDPO: preference pairs from codes and tests that rank each other (Zhang et al., arXiv 2410.05605, ACL 2025).

A model writes codes and tests for a prompt; every code runs on every test; a score in the manner of PageRank ranks
codes and tests by each other; the best code is preferred to the worst.

Where the paper is silent, or we depart from it:

- How prompts are made of source code is told in `builders/chain/seeds.py`, what must not become a row in
  `builders/chain/gates.py` and `builders/chain/decontaminate.py`; the paper names neither filters nor decontamination.
- Codes and tests are asked for in separate requests, so that a test is not written to fit one code.
- Highest score over lowest. A prompt whose codes all score the same gives no pair. With `pairs_per_prompt` above 1 the
  same is done again with the codes that are left; the paper does not say how many pairs a prompt gives.
- Equal scores are the rule. Among the best codes the one of median length is chosen (syntax tree): it is right more
  often than the shortest (`benchmarks/results/label_quality.md`). Among the worst the one nearest in length to the
  chosen one is rejected, so that length teaches nothing. What is left is decided by a seeded hash.
- Codes that do not compile, or do not define the entry point, are left out before the matrix is made, and counted: a
  rejected code that does not even parse teaches little.
- Cells the sandbox could not judge never count: a code that has one is left out.
- `confidence` is ours: the estimated probability that the chosen code is right and the rejected one wrong, from the
  pair's matrix and the run it is in (`builders.chain.confidence`). It means the same whichever ranking chose the pair.
- Examples of a prompt are tests of known truth: codes that fail one come after those that pass, whichever the ranking
  (`builders.chain.evidence.read_examples`). They are read in its text only with `prompt_examples`.
- `ranking` may name another ranking than the paper's (`builders.chain.ranking`).
- `test_pairs` adds pairs of tests (`builders/codedpo/pairs_of_tests.py`), `training_columns` what other trainings ask
  of a pair (`builders/codedpo/training_columns.py`). Both are of the same matrix; nothing more is run.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field

from builders.chain import source
from builders.chain.ask import Count
from builders.chain.dry_run import BuildPlan
from builders.chain.matrix import Execution
from builders.chain.scoring import Ranking, score_matrices
from builders.chain.source import SampledSource
from builders.codedpo.efficiency import Efficiency, EfficiencyPair, Measurement, measure_efficiency, most_executions
from builders.codedpo.pairs import CodePair, CodePairRule, pair_extremes, run_share
from builders.codedpo.pairs_of_tests import PairOfTests, TestsRule, pair_tests, rule_for_tests
from builders.codedpo.training_columns import ListenedPair, add_training_columns
from codepref.config import load
from codepref.errors import CodeprefError
from codepref.inspection import run as inspection
from codepref.publish import cards, dataset
from codepref.sandbox import Limits
from codepref.stages import Runner
from codepref.store import Stage, Store

RECIPE = "dpo"
"""What its pairs are made for: the recipe that `codepref run` trains with."""
CITATION = """@inproceedings{zhang2025codedpo,
  title     = {CodeDPO: Aligning Code Models with Self Generated and Verified Source Code},
  author    = {Zhang, K. and Li, G. and Dong, Y. and Xu, J. and Zhang, J. and Su, J. and Liu, Y. and Jin, Z.},
  booktitle = {Proceedings of the 63rd Annual Meeting of the Association for Computational Linguistics},
  year      = {2025},
  note      = {arXiv:2410.05605}
}"""

CONFIGS: Mapping[str, tuple[str, type]] = {
    "pairs": ("correctness", CodePair),
    "training_columns": ("correctness", ListenedPair),
    "test_pairs": ("tests", PairOfTests),
    "efficiency": ("efficiency", EfficiencyPair),
}
"""Stage -> the dataset config it holds the rows of, and their record class; of two for one config the later counts."""

SUMMARY = """Preference pairs for code models, made as CodeDPO makes them: a model's codes were run on the same \
model's tests, codes and tests were ranked by each other, and the best code of each prompt is preferred to the worst."""


EXPECTATION = """About {mean:.0%} of the {pairs:,} pairs of `correctness` are expected to be right: chosen right and \
rejected wrong. That is the mean of `confidence`, which needs no truth. How much a pair's evidence tells was learnt on \
samples of four models whose truth is known; that {share:.0%} of this run's pairs, before `min_confidence`, are right \
was estimated from the run itself.

How that was checked: on tasks that the weights had not seen, confidence was off by 0.11 on average (0.05 to 0.17) \
where the model was one of the four, and as much (0.04 to 0.16) where it was not \
(`benchmarks/results/label_quality.md`). Nothing was checked on these very pairs: where it matters, run some of them \
on tests you trust."""
"""The card's words; the figures are calibration errors (ECE) in `benchmarks/results/label_quality.md`."""


def _named(value: Any) -> Any:
    """`ranking=NAME` is short for `ranking.name=NAME`."""
    return {"name": value} if isinstance(value, str) else value


@dataclass(frozen=True)
class Config(SampledSource):
    """Keys of a CodeDPO configuration file, besides those of `SampledSource`."""

    limits: Limits = Limits()  # noqa: RUF009 - frozen
    ranking: Annotated[Ranking, BeforeValidator(_named)] = Ranking()  # noqa: RUF009 - frozen
    efficiency: Efficiency = Efficiency()  # noqa: RUF009 - frozen
    min_confidence: Annotated[float, Field(ge=0, le=1)] = 0.0
    pairs_per_prompt: Count = 1
    """At most; pairs after the first come from the codes that are left, and are less certain."""
    test_pairs: bool = False
    """Whether the dataset has a config `tests`: pairs of right over wrong tests."""
    training_columns: bool = False
    """Whether `correctness` has the columns that Con-DPO and AP2O train by."""
    pretty_name: str = "CodeDPO preference pairs"


def build(config: Config, runner: Runner, *, skip_bad: bool = False) -> dict[str, Any]:
    """Builds the dataset.

    Args:
        config: What to build.
        runner: Who does the work, and where the stages go (`codepref.stages.locked_runner`). A finished or interrupted
            run of the same configuration is continued.
        skip_bad: Leave out (and count) bad lines of the recordings instead of refusing the file.

    Returns:
        The manifest.

    Raises:
        CodeprefError: the configuration or the input can not be used.
    """
    return _publish(runner.store, asdict(config), _chain(config, runner, skip_bad))


def _publish(store: Store, config: Mapping[str, Any], chain: Sequence[Stage]) -> dict[str, Any]:
    card = cards.Card(
        pretty_name=config["pretty_name"],
        summary=SUMMARY,
        citation=CITATION,
        method=__doc__ or "",
        licence=config["licence"],
        tags=("dpo", "preference", "code", "synthetic", "codedpo"),
        sections=_expectation(chain),
    )
    parts = {CONFIGS[stage.name][0]: (stage, CONFIGS[stage.name][1]) for stage in chain if stage.name in CONFIGS}
    return dataset.publish_locally(store, "codedpo", config, chain, card, parts)


def _expectation(chain: Sequence[Stage]) -> tuple[tuple[str, str], ...]:
    """The card's section on how many of its pairs are right; none without pairs."""
    stage = next(stage for stage in chain if stage.name == "pairs")
    summary = stage.summary()
    if not summary["rows_out"]:
        return ()
    columns = (stage.read(index, ["confidence"])["confidence"] for index in range(summary["shards"]))
    mean = sum(float(np.sum(column.to_numpy())) for column in columns) / summary["rows_out"]
    share = summary["depends"]["settings"]["right_share"]
    return (("How many pairs are right", EXPECTATION.format(pairs=summary["rows_out"], mean=mean, share=share)),)


def plan(config: Config, *, skip_bad: bool = False) -> BuildPlan:
    """What `build` would ask and run, and what it costs (`builders.chain.source.plan_candidates`)."""
    shapes = source.Shapes()
    made = source.plan_candidates(config, skip_bad, shapes)
    if not config.efficiency.enabled:
        return made
    most = sum(count * most_executions(config.efficiency, *shape) for shape, count in shapes.items())
    said = f"besides: at most {most:,} executions that measure efficiency pairs, usually far fewer"
    return replace(made, more=most, remarks=(said,))


@dataclass(frozen=True)
class Choice:
    """Keys of a configuration that can change without running anything."""

    ranking: Annotated[Ranking, BeforeValidator(_named)]
    min_confidence: Annotated[float, Field(ge=0, le=1)]
    seed: int
    pairs_per_prompt: Count = 1


def rerank(run: inspection.Run, name: str, overrides: Sequence[str] = (), out: Path | None = None) -> str:
    """Ranks the stored matrices of a finished run again; executes nothing.

    Args:
        run: The run; it is only read.
        name: A ranking of `builders.chain.ranking`.
        overrides: `key=value` for the keys of `Choice`; the others stay as they are in the run.
        out: Where to write the dataset: the same bytes as those of a build with this ranking. Efficiency pairs are
            measured by running codes, so there are none in it.

    Returns:
        The pairs compared with the stored ones, in words.

    Raises:
        CodeprefError: no such ranking or key, stages are missing, or `out` is the run itself.
    """
    assert run.manifest is not None
    config = run.manifest["config"]
    kept = [f"{key}={json.dumps(config[key])}" for key in Choice.__annotations__ if key in config]
    choice = load(Choice, None, [*kept, f"ranking.name={json.dumps(name)}", *overrides])
    if out is not None and out.resolve() == run.root.resolve():
        raise CodeprefError(f"{out}: this is the run itself; give another --out")
    listened = config.get("training_columns", False)
    before = run.stage("pairs")
    ready, ran, ranked = run.inputs(before)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(out or Path(folder))
        with store.lock():
            runner = Runner(store, quiet=True)
            ranked, chosen, *more = _ranked(choice, runner, ready, ran, _stored_rule(run), listened)
            if out is not None:
                whole = {**config, **asdict(choice), "efficiency": {**config["efficiency"], "enabled": False}}
                first = [stage for stage in run.stages if stage.name not in ("scores", *CONFIGS)]
                _publish(store, whole, [*first, ranked, chosen, *more])
            text = inspection.agreement(before, chosen)
    where = [] if out is None else [f"written to {out}, without efficiency pairs: those need runs"]
    return "\n".join([f"{run.root} ranked with {choice.ranking.name}; nothing was executed", text, *where])


def _stored_rule(run: inspection.Run) -> TestsRule | None:
    """The rule by which a finished run has paired tests, if it has."""
    if run.manifest is None or not run.manifest["config"].get("test_pairs", False):
        return None
    return TestsRule(**run.stage("test_pairs").summary()["depends"]["settings"])


def _ranked(
    choice: Config | Choice, runner: Runner, ready: Stage, ran: Stage, tests: TestsRule | None, listened: bool
) -> tuple[Stage, ...]:
    """Stages `scores` and `pairs`, and what else is made of the same matrices.

    Args:
        choice: Ranking and pairs.
        runner: Who does the work.
        ready: Codes and tests.
        ran: Their matrices.
        tests: How tests are paired, if they are.
        listened: Whether pairs get the columns that trainings listen to.
    """
    ranked = runner.map("scores", score_matrices, choice.ranking, [ready, ran])
    rule = CodePairRule(choice.seed, choice.min_confidence, choice.pairs_per_prompt)
    rule = replace(rule, right_share=run_share(rule, ready, ran, ranked))
    stages = [ranked, runner.map("pairs", pair_extremes, rule, [ready, ran, ranked])]
    if listened:
        stages.append(runner.map("training_columns", add_training_columns, None, [stages[-1], ran]))
    if tests is not None:
        rule_of_tests = replace(tests, seed=choice.seed, most=choice.pairs_per_prompt)
        stages.append(runner.map("test_pairs", pair_tests, rule_of_tests, [ready, ran, ranked]))
    return tuple(stages)


def _chain(config: Config, runner: Runner, skip_bad: bool) -> tuple[Stage, ...]:
    vacuous_tests = source.gates_of(config, source.recordings_of(config)).vacuous_tests
    stages = source.outcome_stages(config, runner, Execution(config.limits), vacuous_tests, skip_bad)
    ready, ran = stages[-2:]
    tests = rule_for_tests(config.seed, config.pairs_per_prompt, config.generation) if config.test_pairs else None
    made = _ranked(config, runner, ready, ran, tests, config.training_columns)
    if not config.efficiency.enabled:
        return *stages, *made
    settings = Measurement(config.efficiency, config.limits)
    timed = runner.map("efficiency", measure_efficiency, settings, [ready, ran, made[0]])
    return *stages, *made, timed
