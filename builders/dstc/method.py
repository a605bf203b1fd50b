"""DSTC: preference pairs from nothing but the model's own codes and tests (Liu et al., arXiv 2411.13611).

The model to be trained writes codes and tests for a prompt; every code runs on every test; a minimax selection
(`builders/dstc/minimax.py`) picks a code with a hard test that it passes and a code with an easy test that it fails.
Code and test are concatenated into one answer on both sides: that the test may be wrong does not make the pair wrong,
since the chosen answer runs and the rejected one does not.

Where the paper is silent or was not open to us, or where we depart from it:

- The body of the paper could not be read in full. The formula of the rejected code is a reconstruction (the weakest
  code that fails the rejected test); number of samples, temperature, prompts and training settings are not known to us.
- Codes and tests are asked for in separate requests, both naming the entry point. Codes with equal syntax trees and
  tests with equal texts count once.
- A test is one self-contained program, usually a single `assert`. Tests that never use the entry point are left out,
  and so are, unless `gates.vacuous_tests` is off, tests that a function returning None passes.
- An answer is Markdown: a block with the function, then a block with the test. `prompt` asks for exactly that
  (`builders/prompts/code_and_test.jinja`); prompts for evaluation ask for the function alone.
- Ties go to the shorter text, then to a seeded hash. `ties=median` prefers the code of median length and rejects the
  one nearest to it in length.
- One code may stand on both sides, with another test: kept where code and test are concatenated, since the lesson is
  in the test then; dropped in code-only rows. `same_code` marks such rows.
- Every pair is run again as it is published, each side as one program, and left out when the chosen side does not pass
  or the rejected side does not fail.
- Cells the sandbox could not judge never count: a code that has one is left out.
- Ours, all optional: `selection=ranked` compares codes by a ranking of `builders.chain.ranking`, not by the number of
  tests they pass; `min_passing` asks that several codes pass the chosen test; `selection=random` is what both must
  beat.
- `rounds` above 1 repeats all of it with the model trained on the round before (`builders/dstc/rounds.py`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from builders.chain import ask, source
from builders.chain.ask import Count
from builders.chain.dry_run import BuildPlan
from builders.chain.gates import Gates
from builders.chain.matrix import Execution
from builders.chain.ranking import Name as RankingName
from builders.chain.scoring import Ranking, score_matrices
from builders.chain.source import SampledSource
from builders.dstc import rounds
from builders.dstc.answers import AnswerPair, LabelledAnswer, unpair_answers, verify_pairs
from builders.dstc.pairs import AnswerPairRule, Same, Selection, Ties, pair_answers
from codepref.publish import cards, dataset
from codepref.sandbox import Limits
from codepref.stages import Runner
from codepref.store import Stage, Store

RECIPE = "kto"
"""What its pairs are made for: the recipe that `codepref run` trains with."""
CITATION = """@article{liu2024dstc,
  title   = {DSTC: Direct Preference Learning with Only Self-Generated Tests and Code to Improve Code LMs},
  author  = {Liu, Z. and Zhang, S. and Liu, Y. and Liu, B. and Yang, Y. and Wang, Z.},
  journal = {arXiv preprint arXiv:2411.13611},
  year    = {2024}
}"""

SUMMARY = """Preference pairs for code models, made as DSTC makes them: a model's codes were run on the same model's \
tests; a code with a hard test that it passes is preferred to a code with an easy test that it fails."""


@dataclass(frozen=True)
class Config(SampledSource):
    """Keys of a DSTC configuration file, besides those of `SampledSource`."""

    distinct_codes: bool = True
    limits: Limits = Limits()  # noqa: RUF009 - frozen
    selection: Selection = "minimax"
    """`ranked` is minimax with codes compared by `ranking` in place of the number of tests they pass."""
    ranking: RankingName = "combined"
    ties: Ties = "shorter"
    """Which of equally good codes: the shorter text, or the one of median length (rejected: nearest in length)."""
    min_passing: Count = 1
    """Codes, different ones, that must pass the chosen test: hard tests that one code alone passes are often wrong."""
    concatenate: bool = True
    """Whether an answer is code and test, or code alone."""
    fenced: bool = True
    """Whether code and test stand in Markdown blocks; false: bare text, for models that go on with the prompt."""
    same_code: Same | None = None
    """Whether a prompt whose picks have the same code on both sides gives a pair; by default where they concatenate."""
    answer_template: str | None = None
    """Template of the column `prompt`; by default one that asks for what the answers hold."""
    rounds: Count = 1
    """On-policy rounds: each later one is sampled from what `train` made of the one before."""
    train: tuple[str, ...] = (
        *("codepref", "train", "dpo", "--set", "use_peft=true", "--set", "model_name_or_path={model}"),
        *("--set", "dataset_name={dataset}", "--set", "dataset_config={config}", "--set", "output_dir={adapter}"),
    )
    """Command that trains on a round, word by word; places in braces: `builders.dstc.rounds.PLACES`."""
    served_as: str = "round{round}"
    """Model name by which the server of `generation.server` knows the adapter of a round."""
    pretty_name: str = "DSTC preference pairs"


def build(config: Config, runner: Runner, *, skip_bad: bool = False) -> dict[str, Any]:
    """Builds the dataset: configs `dpo` and `kto`, or `round1_dpo`, `round1_kto`, `round2_dpo`, ... of several rounds.

    Args:
        config: What to build.
        runner: Who does the work, and where the stages go (`codepref.stages.locked_runner`). A finished or interrupted
            run of the same configuration is continued.
        skip_bad: Leave out (and count) bad lines of the recordings instead of refusing the file.

    Returns:
        The manifest.

    Raises:
        CodeprefError: the configuration or the input can not be used, or training failed.
    """
    template = _template(config)
    if config.rounds > 1:
        rounds.check_rounds(config.generation, config.train)
    store = runner.store
    made, trained = list[_Round](), list[tuple[Stage, rounds.Adapter]]()
    while True:
        number = len(made) + 1
        adapter = trained[-1][1] if trained else None
        mine = rounds.runner_of(runner, number, adapter)
        now = config if adapter is None else _later(config, adapter, store.root, made[0])
        made.append(_round(now, mine, number, template, skip_bad))
        manifest = _publish(config, store, made, trained)
        if number == config.rounds:
            return manifest
        trained.append(_train(config, mine, store.root, now, made[-1]))


@dataclass(frozen=True)
class _Round:
    """The stages of one round."""

    number: int
    chain: tuple[Stage, ...]
    pairs: Stage
    unpaired: Stage


def _round(config: Config, runner: Runner, number: int, template: str, skip_bad: bool) -> _Round:
    execution = Execution(config.limits)
    stages = source.outcome_stages(config, runner, execution, _gates(config).vacuous_tests, skip_bad)
    ready, ran = stages[-2:]
    ranked = Ranking(name=config.ranking if config.selection == "ranked" else "pass_count", seed=config.seed)
    scored = runner.map("scores", score_matrices, ranked, [ready, ran])
    paired = runner.map("pairs", pair_answers, _rule(config, number, template), [ready, ran, scored])
    kept = runner.map("verified", verify_pairs, execution, [paired])
    split = runner.map("unpaired", unpair_answers, None, [kept])
    return _Round(number, (*stages, scored, paired, kept, split), kept, split)


def _rule(config: Config, number: int, template: str) -> AnswerPairRule:
    asked = config.generation if config.generations is None else None
    return AnswerPairRule(
        template,
        config.selection,
        config.ties,
        config.min_passing,
        config.concatenate,
        config.fenced,
        config.same_code or ("keep" if config.concatenate else "drop"),
        config.seed,
        asked.sampling.temperature if asked else None,
        config.limits.cpu_s,
        number,
    )


def _gates(config: Config) -> Gates:
    """The gates of a configuration: unless it says otherwise, vacuous tests are dropped for recordings too."""
    return config.gates or replace(source.gates_of(config, source.recordings_of(config)), vacuous_tests=True)


def _template(config: Config) -> str:
    """Text of the template of `prompt`.

    Raises:
        CodeprefError: it can not be read or filled in.
    """
    of_code = config.generation.code_template if config.generation else ask.TEMPLATES / "code.jinja"
    fitting = ask.TEMPLATES / "code_and_test.jinja" if config.concatenate else of_code
    path = Path(config.answer_template or (fitting if config.fenced else ask.TEMPLATES / "bare.jinja"))
    ask.render_prompt(path, dict.fromkeys(("prompt", "entry_point", "prompt_id"), "x"))
    return path.read_text(encoding="utf-8")


def _later(config: Config, adapter: rounds.Adapter, root: Path, first: _Round) -> Config:
    """The configuration of the round after the adapter's: the same prompts, another model, other seeds."""
    assert config.generation is not None
    asked = next(stage for stage in first.chain if stage.name == "samples")
    return replace(
        config,
        generations=None,
        seeds=None,
        prompts=rounds.write_round_prompts(root, asked),
        prompt_examples=source.reads_examples(config),
        seed=config.seed + adapter.round,  # a model that training hardly moved would say the same again
        gates=Gates(False, False, None, _gates(config).vacuous_tests),
        generation=rounds.sampling_from(config.generation, config.served_as, adapter, root),
    )


def _train(config: Config, runner: Runner, root: Path, now: Config, made: _Round) -> tuple[Stage, rounds.Adapter]:
    assert config.generation is not None and now.generation is not None
    places = {
        "config": f"round{made.number}_dpo",
        "model": rounds.name_of_model(config.generation),
        "policy": rounds.name_of_model(now.generation),
    }
    return rounds.train_round(runner, root, made.number, made.pairs, config.train, places)


def _publish(
    config: Config, store: Store, made: Sequence[_Round], trained: Sequence[tuple[Stage, rounds.Adapter]]
) -> dict[str, Any]:
    parts, sections = dict[str, tuple[Stage, type]](), list[tuple[str, str]]()
    for one in made:
        prefix = "" if config.rounds == 1 else f"round{one.number}_"
        parts |= {f"{prefix}dpo": (one.pairs, AnswerPair), f"{prefix}kto": (one.unpaired, LabelledAnswer)}
        sections += [(f"{title} of `{prefix}dpo`", text) for title, text in _sections(one.pairs)]
    sections += [(f"Round {adapter.round + 1}", _origin(adapter)) for _, adapter in trained]
    card = cards.Card(
        pretty_name=config.pretty_name,
        summary=SUMMARY,
        citation=CITATION,
        method=__doc__ or "",
        licence=config.licence,
        tags=("dpo", "kto", "preference", "code", "synthetic", "on-policy", "dstc"),
        sections=tuple(sections),
    )
    between = [stage for stage, _ in trained]
    chain = [stage for one in made for stage in (*one.chain, *between[one.number - 1 : one.number])]
    return dataset.publish_locally(store, "dstc", config, chain, card, parts)


def _origin(adapter: rounds.Adapter) -> str:
    """What the card says about where a round after the first comes from."""
    return (
        f"Sampled from `{adapter.name}`: what the command `train` of the configuration made of "
        f"`round{adapter.round}_dpo`. Its files have the sha256 `{adapter.sha256}`. Tag of the dataset with this "
        f"round: `round{adapter.round + 1}`."
    )


def _sections(pairs: Stage) -> Iterator[tuple[str, str]]:
    """What the card says about the pairs of a round: ties, codes on both sides, classes and weights for KTO."""
    rows = same = 0
    tied = np.zeros(4, int)
    for index in range(pairs.summary()["shards"]):
        table = pairs.read(index, ["equals", "same_code"])
        rows += table.num_rows
        same += sum(table["same_code"].to_pylist())
        tied += (np.array(table["equals"].to_pylist()).reshape(-1, 4) > 1).sum(axis=0)
    if not rows:
        return
    names = ("chosen code", "chosen test", "rejected code", "rejected test")
    shares = ", ".join(f"{name} {share:.0%}" for name, share in zip(names, tied / rows, strict=True))
    yield (
        "Picks",
        f"Picks that had equals: {shares}. {same:,} of {rows:,} pairs have the same code on both sides. "
        "Every pair was run again as one program: each chosen side passed, each rejected side did not.",
    )
    yield (
        "Classes",
        f"As single answers: {rows:,} desirable, {rows:,} undesirable, 1 : 1. KTO's weighted ratio should "
        "lie between 1 : 1 and 4 : 3: `desirable_weight` 1.0 to 1.33 with `undesirable_weight` 1.0. Rows of a prompt "
        "stand together, the desirable one first: shuffle them.",
    )


def plan(config: Config, *, skip_bad: bool = False) -> BuildPlan:
    """What `build` would ask and run, and what it costs (`builders.chain.source.plan_candidates`)."""
    _template(config)
    made = source.plan_candidates(config, skip_bad)
    remarks = ["besides: 2 executions a pair, its sides as one program each"]
    if config.rounds > 1:
        rounds.check_rounds(config.generation, config.train)
        between = f"{config.rounds - 1} trainings between them"
        remarks.append(f"all of this in each of {config.rounds} rounds, with {between}")
    return replace(made, more=2 * made.prompts, remarks=tuple(remarks), rounds=config.rounds)
