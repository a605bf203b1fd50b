"""CodeDPO: preference pairs from codes and tests that rank each other (Zhang et al., arXiv 2410.05605, ACL 2025).

A model writes codes and tests for a prompt; every code runs on every test; a score in the manner of PageRank ranks
codes and tests by each other; the best code is preferred to the worst.

Where the paper is silent, or we depart from it:

- Codes and tests are asked for in separate requests, so that a test is not written to fit one code.
- One pair a prompt: highest score over lowest. A prompt whose codes all score the same gives none.
- Equal scores are the rule. Among the best codes the shortest is chosen (Python tokens), among the worst the one
  nearest in length to the chosen one is rejected, so that length teaches nothing; then a seeded hash decides.
- Codes that do not compile, or do not define the entry point, are left out before the matrix is made, and counted: a
  rejected code that does not even parse teaches little.
- Cells the sandbox could not judge never count: a code that has one is left out.
- `confidence` is ours: the share of the test score that speaks for the chosen code and against the rejected one.
"""

import hashlib
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from builders import ranking
from builders.efficiency import Efficiency, EfficiencyPair, Measurement, efficiency
from builders.matrix import Execution, Selection, candidates, outcomes
from builders.samples import Count, Generation, generated, recorded
from codepref import cards, dataset
from codepref.errors import CodeprefError
from codepref.records import Candidates, Exclusion, Outcomes, Scores, VerdictCounts, from_table, to_table
from codepref.sandbox import Limits
from codepref.stages import Runner
from codepref.store import Shard, Stage, Store

CITATION = """@inproceedings{zhang2025codedpo,
  title     = {CodeDPO: Aligning Code Models with Self Generated and Verified Source Code},
  author    = {Zhang, K. and Li, G. and Dong, Y. and Xu, J. and Zhang, J. and Su, J. and Liu, Y. and Jin, Z.},
  booktitle = {Proceedings of the 63rd Annual Meeting of the Association for Computational Linguistics},
  year      = {2025},
  note      = {arXiv:2410.05605}
}"""

SUMMARY = """Preference pairs for code models, made as CodeDPO makes them: a model's codes were run on the same \
model's tests, codes and tests were ranked by each other, and the best code of each prompt is preferred to the worst."""


@dataclass(frozen=True)
class Ranking:
    """The self-validation score's parameters, named as in the paper."""

    damping: Annotated[float, Field(ge=0, le=1)] = 0.85
    iterations: Count = 10
    schedule: ranking.Schedule = "simultaneous"


@dataclass(frozen=True)
class PairRule:
    """Which pairs are kept."""

    seed: int = 0
    min_confidence: Annotated[float, Field(ge=0, le=1)] = 0.0


@dataclass(frozen=True)
class Config:
    """Keys of a CodeDPO configuration file."""

    generations: str | None = None
    """Recorded samples, a JSON-lines file; this or `prompts`."""
    prompts: str | None = None
    """Prompts to ask the generator for, a JSON-lines file."""
    generation: Generation | None = None
    codes_per_prompt: Count = 15
    tests_per_prompt: Count = 15
    distinct_codes: bool = False
    distinct_tests: bool = True
    limits: Limits = Limits()  # noqa: RUF009 - frozen
    ranking: Ranking = Ranking()
    efficiency: Efficiency = Efficiency()  # noqa: RUF009 - frozen
    min_confidence: Annotated[float, Field(ge=0, le=1)] = 0.0
    seed: int = 0
    shard_size: Count = 32
    """Prompts a shard: what a killed run loses at most, for each worker."""
    pretty_name: str = "CodeDPO preference pairs"
    licence: str | None = None
    """Licence of the dataset as a whole, for the card; by default the one all prompts name."""


@dataclass(frozen=True)
class Pair:
    """One row of the dataset."""

    prompt: Annotated[str, "the prompt, as the model saw it"]
    chosen: Annotated[str, "the preferred program, exactly as it was run"]
    rejected: Annotated[str, "the other program, exactly as it was run"]
    prompt_id: Annotated[str, "id of the prompt"]
    confidence: Annotated[float, "0 to 1: share of the test score that speaks for chosen and against rejected"]
    entry_point: Annotated[str, "name of the function under test"]
    chosen_id: Annotated[str, "id of the chosen code: hash of prompt id and text"]
    rejected_id: Annotated[str, "id of the rejected code"]
    chosen_score: Annotated[float, "self-validation score of the chosen code; compare within a prompt only"]
    rejected_score: Annotated[float, "self-validation score of the rejected code"]
    chosen_passed: Annotated[int, "number of tests the chosen code passes"]
    rejected_passed: Annotated[int, "number of tests the rejected code passes"]
    chosen_index: Annotated[int, "row of the chosen code in `matrix`"]
    rejected_index: Annotated[int, "row of the rejected code in `matrix`"]
    chosen_seed: Annotated[int | None, "sampling seed of the chosen code; null for recordings"]
    rejected_seed: Annotated[int | None, "sampling seed of the rejected code; null for recordings"]
    code_ids: Annotated[tuple[str, ...], "ids of all codes that were run, one a row of `matrix`"]
    code_scores: Annotated[tuple[float, ...], "their scores"]
    tests: Annotated[tuple[str, ...], "all tests that were run, one a column of `matrix`"]
    test_scores: Annotated[tuple[float, ...], "their scores"]
    matrix: Annotated[tuple[tuple[bool, ...], ...], "whether code i passed test j"]
    verdict_counts: Annotated[VerdictCounts, "number of cells by verdict"]
    generator: Annotated[str | None, "the model that wrote codes and tests"]
    source: Annotated[str | None, "where the prompt comes from"]
    licence: Annotated[str | None, "licence of the prompt"]


def scores(config: Ranking, candidates: pa.Table, outcomes: pa.Table) -> Shard:
    """Stage `scores`: every prompt's codes and tests ranked by each other; codes with unjudged cells are left out.

    Scores keep 12 significant digits; the score of a code that was left out is NaN.
    """
    names = {row.prompt_id: row for row in from_table(candidates, Candidates)}
    rows, excluded = [], list[Exclusion]()
    for row in from_table(outcomes, Outcomes):
        verdicts = np.array(row.verdicts)
        judged = ~(verdicts == "unjudged").any(axis=1)
        samples = [code.sample for code in names[row.prompt_id].codes]
        excluded += [
            Exclusion("scores", row.prompt_id, "code", "unjudged", samples[i]) for i in np.flatnonzero(~judged)
        ]
        if judged.sum() < 2:
            excluded.append(Exclusion("scores", row.prompt_id, "prompt", "fewer than 2 judged codes"))
            continue
        code_scores = np.full(len(judged), np.nan)
        code_scores[judged], test_scores = ranking.self_validation(
            verdicts[judged] == "passed",
            damping=config.damping,
            iterations=config.iterations,
            schedule=config.schedule,
        )
        rows.append(Scores(row.prompt_id, _rounded(code_scores), _rounded(test_scores)))
    return Shard(to_table(rows, Scores), tuple(excluded))


def _rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(f"{value:.12g}") for value in values)


def pairs(config: PairRule, candidates: pa.Table, outcomes: pa.Table, scores: pa.Table) -> Shard:
    """Stage `pairs`: one correctness pair a prompt, or the reason why there is none."""
    codes = {row.prompt_id: row for row in from_table(candidates, Candidates)}
    ran = {row.prompt_id: row for row in from_table(outcomes, Outcomes)}
    rows, excluded = [], list[Exclusion]()
    for row in from_table(scores, Scores):
        pair = _pair(config, codes[row.prompt_id], ran[row.prompt_id], row)
        if isinstance(pair, Exclusion):
            excluded.append(pair)
        else:
            rows.append(pair)
    return Shard(to_table(rows, Pair), tuple(excluded))


def _pair(config: PairRule, row: Candidates, ran: Outcomes, scores: Scores) -> Pair | Exclusion:
    values = np.array(scores.code_scores)
    best, worst = np.nanmax(values), np.nanmin(values)
    if best == worst:
        return Exclusion("pairs", row.prompt_id, "prompt", "all scores equal")
    chosen, rejected = _choose(config.seed, row, np.flatnonzero(values == best), np.flatnonzero(values == worst))
    passed = np.array(ran.verdicts) == "passed"
    confidence = ranking.confidence(passed, np.array(scores.test_scores), chosen, rejected)
    if confidence < config.min_confidence:
        detail = f"{confidence:.6f} < {config.min_confidence}"
        return Exclusion("pairs", row.prompt_id, "prompt", "low confidence", detail=detail)
    counts = Counter(verdict for verdicts in ran.verdicts for verdict in verdicts)
    return Pair(
        prompt=row.prompt,
        chosen=row.codes[chosen].code,
        rejected=row.codes[rejected].code,
        prompt_id=row.prompt_id,
        confidence=float(f"{confidence:.12g}"),
        entry_point=row.entry_point,
        chosen_id=row.codes[chosen].code_id,
        rejected_id=row.codes[rejected].code_id,
        chosen_score=scores.code_scores[chosen],
        rejected_score=scores.code_scores[rejected],
        chosen_passed=int(passed[chosen].sum()),
        rejected_passed=int(passed[rejected].sum()),
        chosen_index=chosen,
        rejected_index=rejected,
        chosen_seed=row.codes[chosen].seed,
        rejected_seed=row.codes[rejected].seed,
        code_ids=tuple(code.code_id for code in row.codes),
        code_scores=scores.code_scores,
        tests=tuple(test.test for test in row.tests),
        test_scores=scores.test_scores,
        matrix=tuple(tuple(bool(cell) for cell in cells) for cells in passed),
        verdict_counts=VerdictCounts(**counts),
        generator=row.generator,
        source=row.source,
        licence=row.licence,
    )


def _choose(seed: int, row: Candidates, best: Iterable[int], worst: Iterable[int]) -> tuple[int, int]:
    """The pair among codes of equal score: the module docstring's rule."""

    def lot(index: int) -> bytes:
        return hashlib.sha256(f"{seed}:{row.codes[index].code_id}".encode()).digest()

    chosen = min(map(int, best), key=lambda i: (row.codes[i].tokens, lot(i), i))
    length = row.codes[chosen].tokens
    rejected = min(map(int, worst), key=lambda i: (abs(row.codes[i].tokens - length), lot(i), i))
    return chosen, rejected


def build(
    config: Config, out: Path, *, workers: int = 1, skip_bad: bool = False, quiet: bool = False
) -> dict[str, Any]:
    """Builds the dataset.

    Args:
        config: What to build.
        out: The run's folder. A finished or interrupted run of the same configuration is continued.
        workers: Processes; the result does not depend on their number.
        skip_bad: Leave out (and count) bad lines of the recordings instead of refusing the file.
        quiet: No progress and no summaries.

    Returns:
        The manifest.

    Raises:
        CodeprefError: the configuration or the input can not be used.
    """
    store = Store(Path(out))
    runner = Runner(store, workers, quiet)
    with store.lock():
        chain = _chain(config, runner, skip_bad)
        card = cards.Card(
            pretty_name=config.pretty_name,
            summary=SUMMARY,
            citation=CITATION,
            method=__doc__ or "",
            licence=config.licence,
            tags=("dpo", "preference", "code", "synthetic", "codedpo"),
        )
        rows = {"pairs": ("correctness", Pair), "efficiency": ("efficiency", EfficiencyPair)}
        parts = {rows[stage.name][0]: (stage, rows[stage.name][1]) for stage in chain if stage.name in rows}
        return dataset.publish_locally(store, "codedpo", config, chain, card, parts)


def _chain(config: Config, runner: Runner, skip_bad: bool) -> tuple[Stage, ...]:
    samples = _samples(config, runner, skip_bad)
    selection = Selection(
        config.codes_per_prompt, config.tests_per_prompt, config.distinct_codes, config.distinct_tests
    )
    ready = runner.map("candidates", candidates, selection, [samples])
    ran = runner.map("outcomes", outcomes, Execution(config.limits), [ready])
    ranked = runner.map("scores", scores, config.ranking, [ready, ran])
    chosen = runner.map("pairs", pairs, PairRule(config.seed, config.min_confidence), [ready, ran, ranked])
    if not config.efficiency.enabled:
        return samples, ready, ran, ranked, chosen
    settings = Measurement(config.efficiency, config.limits)
    timed = runner.map("efficiency", efficiency, settings, [ready, ran, ranked])
    return samples, ready, ran, ranked, chosen, timed


def _samples(config: Config, runner: Runner, skip_bad: bool) -> Stage:
    if (config.generations is None) == (config.prompts is None):
        raise CodeprefError(
            "configuration: give either generations=FILE (recorded samples) or prompts=FILE (to be asked)"
        )
    if config.generations is not None:
        return recorded(runner, config.generations, config.shard_size, skip_bad)
    if config.generation is None:
        raise CodeprefError("configuration: prompts=FILE needs a 'generation' section that names the model to ask")
    return generated(
        runner,
        str(config.prompts),
        config.generation,
        codes=config.codes_per_prompt,
        tests=config.tests_per_prompt,
        seed=config.seed,
        shard_size=config.shard_size,
    )


if __name__ == "__main__":
    from codepref.cli import main

    sys.exit(main(["build", "codedpo", *sys.argv[1:]]))
