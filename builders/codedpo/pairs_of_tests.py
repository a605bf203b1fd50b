"""Stage `test_pairs`: of one prompt's tests, right over wrong ones, for a model that learns to write them too.

Sol-Ver (arXiv 2502.14948) makes preference pairs for tests of the matrix that makes those for codes. The best code, the
chosen one of the prompt's first pair, says which tests are right: those it passes. What is ours, since the paper leaves
it open: of the right ones the test with the highest score of the ranking is chosen, of the wrong ones the one with the
lowest is rejected, then the next two, until either side is used up. Equal scores are decided by a seeded hash.

`prompt` is what the model is asked for tests, in the words of the configuration's template. No probability is
estimated: how sure a pair is, its numbers of passing codes say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pyarrow as pa

from builders.chain.ask import TEMPLATES, Generation
from builders.codedpo.pairs import Places, extremes
from codepref.generate import Request
from codepref.generate.tiny.backend import model_prompt
from codepref.lots import lot
from codepref.records import Candidates, Exclusion, Outcomes, Scores, from_table, to_table
from codepref.store import Shard
from codepref.templates import compile_template


@dataclass(frozen=True)
class TestsRule:
    """Which pairs of tests are made, and how their prompt is worded."""

    __test__ = False  # not a test class, whatever pytest thinks of the name

    seed: int
    most: int
    """Pairs of one prompt at most."""
    template: str
    """Text of the template that asks for tests."""
    tiny: bool = False
    """The tiny model was asked, which reads no English around a task."""


@dataclass(frozen=True)
class PairOfTests:
    """One row of the dataset's config `tests`."""

    prompt: Annotated[str, "what asks for tests of the task, as the model saw it"]
    chosen: Annotated[str, "a test that the best code passes"]
    rejected: Annotated[str, "a test that the best code fails"]
    prompt_id: Annotated[str, "id of the prompt"]
    task: Annotated[str, "the task alone: the prompt of the config `correctness`"]
    entry_point: Annotated[str, "name of the function under test; empty for programs that read standard input"]
    chosen_id: Annotated[str, "id of the chosen test: hash of prompt id and text"]
    rejected_id: Annotated[str, "id of the rejected test"]
    chosen_score: Annotated[float, "score of the chosen test; compare within a prompt only"]
    rejected_score: Annotated[float, "score of the rejected test"]
    chosen_passes: Annotated[int, "number of codes that pass the chosen test"]
    rejected_passes: Annotated[int, "number of codes that pass the rejected test"]
    codes: Annotated[int, "number of codes that were run"]
    chosen_seed: Annotated[int | None, "sampling seed of the chosen test; null for recordings"]
    rejected_seed: Annotated[int | None, "sampling seed of the rejected test; null for recordings"]
    trusted_code: Annotated[str, "the best code, which decides which test is right"]
    generator: Annotated[str | None, "the model that wrote codes and tests"]
    source: Annotated[str | None, "where the prompt comes from"]
    licence: Annotated[str | None, "licence of the prompt"]


def rule_for_tests(seed: int, most: int, generation: Generation | None) -> TestsRule:
    """The rule for a configuration; recordings, which name no model, take the template that models are asked with."""
    path = TEMPLATES / "test.jinja" if generation is None else Path(generation.test_template)
    is_tiny = generation is not None and generation.tiny is not None
    return TestsRule(seed, most, path.read_text(encoding="utf-8"), is_tiny)


def pair_tests(rule: TestsRule, candidates: pa.Table, outcomes: pa.Table, scores: pa.Table) -> Shard:
    """Stage `test_pairs`: the pairs of tests of every prompt, surest first, or the reason why there is none."""
    named = {row.prompt_id: row for row in from_table(candidates, Candidates)}
    ran = {row.prompt_id: row for row in from_table(outcomes, Outcomes)}
    rows, excluded = list[PairOfTests](), list[Exclusion]()
    for ranked in from_table(scores, Scores):
        row, outcome = named[ranked.prompt_id], ran[ranked.prompt_id]
        best = extremes(rule.seed, row, ranked)
        if not best:
            excluded.append(Exclusion("test_pairs", row.prompt_id, "prompt", "no best code"))
            continue
        trusted = best[0][0]
        places = sided(rule, row, ranked, outcome.verdicts[trusted])
        if not places:
            excluded.append(Exclusion("test_pairs", row.prompt_id, "prompt", "the best code passes all or none"))
        rows += [_pair(rule, row, ranked, outcome, trusted, *place) for place in places]
    return Shard(to_table(rows, PairOfTests), tuple(excluded))


def sided(rule: TestsRule, row: Candidates, scores: Scores, verdicts: Sequence[str]) -> list[Places]:
    """Places of tests that the best code passes, highest score first, each with one it fails, lowest score first.

    Tests that were not judged, or that ended at a limit, say nothing about the test and are on neither side.
    """

    def by_score(place: int) -> tuple[float, bytes]:
        return scores.test_scores[place], lot(rule.seed, row.tests[place].test_id)

    judged = range(len(row.tests))
    right = sorted((place for place in judged if verdicts[place] == "passed"), key=by_score, reverse=True)
    wrong = sorted((place for place in judged if verdicts[place] == "failed"), key=by_score)
    return list(zip(right, wrong, strict=False))[: rule.most]


def asked(rule: TestsRule, row: Candidates) -> str:
    """What asks for tests of a task."""
    values = {"prompt": row.prompt, "entry_point": row.entry_point, "prompt_id": row.prompt_id}
    text = compile_template(rule.template).render(values).strip()
    return model_prompt(Request(row.prompt_id, "test", text, n=1)) if rule.tiny else text


def _pair(
    rule: TestsRule, row: Candidates, scores: Scores, outcome: Outcomes, trusted: int, chosen: int, rejected: int
) -> PairOfTests:
    passes = [sum(line[place] == "passed" for line in outcome.verdicts) for place in (chosen, rejected)]
    return PairOfTests(
        prompt=asked(rule, row),
        chosen=row.tests[chosen].test,
        rejected=row.tests[rejected].test,
        prompt_id=row.prompt_id,
        task=row.prompt,
        entry_point=row.entry_point,
        chosen_id=row.tests[chosen].test_id,
        rejected_id=row.tests[rejected].test_id,
        chosen_score=scores.test_scores[chosen],
        rejected_score=scores.test_scores[rejected],
        chosen_passes=passes[0],
        rejected_passes=passes[1],
        codes=len(row.codes),
        chosen_seed=row.tests[chosen].seed,
        rejected_seed=row.tests[rejected].seed,
        trusted_code=row.codes[trusted].code,
        generator=row.generator,
        source=row.source,
        licence=row.licence,
    )
