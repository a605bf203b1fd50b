"""CodeDPO's stage `pairs`: of one prompt's codes, the best over the worst, as often as asked for."""

import math
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from builders.chain import confidence, evidence
from codepref.lots import lot
from codepref.records import Candidates, Exclusion, Scores, VerdictCounts, from_table, to_table
from codepref.store import Shard, Stage

Places = tuple[int, int]
"""Rows of the chosen and of the rejected code in the matrix."""


@dataclass(frozen=True)
class CodePairRule:
    """Which pairs are kept."""

    seed: int = 0
    min_confidence: Annotated[float, Field(ge=0, le=1)] = 0.0
    most: int = 1
    """Pairs of one prompt at most."""
    right_share: float = confidence.LEARNT_SHARE
    """Share of the run's pairs that are right, as estimated from the run itself (`run_share`)."""


@dataclass(frozen=True)
class CodePair:
    """One row of the dataset."""

    prompt: Annotated[str, "the prompt, as the model saw it"]
    chosen: Annotated[str, "the preferred program, exactly as it was run"]
    rejected: Annotated[str, "the other program, exactly as it was run"]
    prompt_id: Annotated[str, "id of the prompt"]
    confidence: Annotated[float, "0 to 1: estimated probability that chosen is right and rejected wrong"]
    entry_point: Annotated[str, "name of the function under test; empty for programs that read standard input"]
    chosen_id: Annotated[str, "id of the chosen code: hash of prompt id and text"]
    rejected_id: Annotated[str, "id of the rejected code"]
    chosen_score: Annotated[float, "score of the chosen code; compare within a prompt only"]
    rejected_score: Annotated[float, "score of the rejected code"]
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


def pair_extremes(config: CodePairRule, candidates: pa.Table, outcomes: pa.Table, scores: pa.Table) -> Shard:
    """Stage `pairs`: the pairs of every prompt, best first, or the reason why there is none."""
    codes = {row.prompt_id: row for row in from_table(candidates, Candidates)}
    ran = dict(zip(outcomes.column("prompt_id").to_pylist(), outcomes.column("verdicts").to_pylist(), strict=True))
    ranked = {row.prompt_id: row for row in from_table(scores, Scores)}
    behind = _behind(outcomes) if config.most > 1 else {}
    chosen = {
        name: extremes(config.seed, codes[name], row, config.most, behind.get(name, frozenset()))
        for name, row in ranked.items()
    }
    odds = _log_odds(outcomes, chosen)
    confidences = {
        name: confidence.probability(np.array(mine), config.right_share).tolist() for name, mine in odds.items()
    }
    rows, excluded = [], list[Exclusion]()
    for name, row in ranked.items():
        if not chosen[name]:
            excluded.append(Exclusion("pairs", name, "prompt", "all scores equal"))
        kept = [place for place, value in enumerate(confidences[name]) if value >= config.min_confidence]
        if chosen[name] and not kept:
            detail = f"{confidences[name][0]:.6f} < {config.min_confidence}"
            excluded.append(Exclusion("pairs", name, "prompt", "low confidence", detail=detail))
        rows += [_pair(codes[name], ran[name], row, *chosen[name][place], confidences[name][place]) for place in kept]
    return Shard(to_table(rows, CodePair), tuple(excluded))


def extremes(
    seed: int, row: Candidates, scores: Scores, most: int = 1, behind: AbstractSet[int] = frozenset()
) -> list[Places]:
    """The best code over the worst, then the same among the codes that are left, until all score the same.

    Args:
        seed: Decides between codes that are equal in everything else.
        row: The codes.
        scores: Theirs; NaN for a code that was left out.
        most: Pairs at most. Texts of a pair are in no other.
        behind: Codes that are never chosen: they fail an example that others pass.
    """
    left = [place for place, value in enumerate(scores.code_scores) if not math.isnan(value)]
    found = list[Places]()
    while not behind >= set(left) and len(found) < most:
        highest = max(scores.code_scores[place] for place in left)
        lowest = min(scores.code_scores[place] for place in left)
        if highest == lowest:
            break
        best = [place for place in left if scores.code_scores[place] == highest]
        worst = [place for place in left if scores.code_scores[place] == lowest]
        found.append(_choose(seed, row, best, worst))
        used = {row.codes[place].code for place in found[-1]}
        left = [place for place in left if row.codes[place].code not in used]
    return found


def _behind(outcomes: pa.Table) -> dict[str, frozenset[int]]:
    """Rows of the codes that fail an example which others of their prompt pass, by prompt id."""
    names = outcomes.column("prompt_id").to_pylist()
    found = dict[str, frozenset[int]]()
    for group in evidence.read_stacks(outcomes):
        if group.evidence.examples is None:
            continue
        kept = np.flatnonzero(group.kept)
        for row, behind in zip(group.rows, group.evidence.examples.behind, strict=True):
            found[names[row]] = frozenset(kept[behind].tolist())
    return found


def _choose(seed: int, row: Candidates, best: Sequence[int], worst: Sequence[int]) -> Places:
    """The pair among codes of equal score: the rule of `builders.codedpo.method`."""
    middle = statistics.median_low(row.codes[index].nodes for index in best)
    chosen = min(best, key=partial(_distance, seed, row, middle))
    rejected = min(worst, key=partial(_distance, seed, row, row.codes[chosen].nodes))
    return chosen, rejected


def _distance(seed: int, row: Candidates, length: int, index: int) -> tuple[int, bytes, int]:
    """How far a code is from a length, then a lot: what the choice among equals goes by, least first."""
    code = row.codes[index]
    return abs(code.nodes - length), lot(seed, code.code_id), index


def run_share(rule: CodePairRule, candidates: Stage, outcomes: Stage, scores: Stage) -> float:
    """Share of the run's pairs that are right, estimated from the first pairs of up to 2,000 prompts, evenly spread.

    Which prompts these are depends on their place in the run alone, so shards of another size change nothing.
    """
    return confidence.right_share(_sampled_odds(rule, candidates, outcomes, scores))


def _sampled_odds(rule: CodePairRule, candidates: Stage, outcomes: Stage, scores: Stage) -> Iterator[confidence.Floats]:
    counts = [candidates.rows(index) for index in range(candidates.summary()["shards"])]
    step = confidence.sampling_step(sum(counts))
    start = 0
    for index, count in enumerate(counts):
        places = np.arange(-start % step, count, step)
        start += count
        if not len(places):
            continue
        kept = candidates.read(index).take(places)
        # A later stage may have left out some prompts: theirs are found by name, not by place.
        others = (stage.read(index) for stage in (outcomes, scores))
        yield _first_odds(
            rule, kept, *(table.filter(pc.is_in(table["prompt_id"], kept["prompt_id"])) for table in others)
        )


def _first_odds(rule: CodePairRule, candidates: pa.Table, outcomes: pa.Table, scores: pa.Table) -> confidence.Floats:
    codes = {row.prompt_id: row for row in from_table(candidates, Candidates)}
    ranked = from_table(scores, Scores)
    chosen = {row.prompt_id: extremes(rule.seed, codes[row.prompt_id], row) for row in ranked}
    return np.array([value for mine in _log_odds(outcomes, chosen).values() for value in mine])


def _log_odds(outcomes: pa.Table, chosen: Mapping[str, Sequence[Places]]) -> dict[str, list[float]]:
    """What the evidence says of every pair of every prompt, by prompt id."""
    names = outcomes.column("prompt_id").to_pylist()
    result = {prompt: list[float]() for prompt in chosen}
    for group in evidence.read_stacks(outcomes):
        members, places = list[int](), list[Places]()
        for member, row in enumerate(group.rows):
            for pair in chosen.get(names[row], ()):
                members.append(member)
                places.append(pair)
        if not members:
            continue
        # Codes with unjudged cells are not in the group's arrays: a code's number there is how many are kept before it.
        kept_before = np.cumsum(group.kept) - 1
        chosen_index, rejected_index = kept_before[np.array(places)].T
        found = confidence.features(group.evidence.of(members), chosen_index, rejected_index)
        for member, value in zip(members, confidence.log_odds(found).tolist(), strict=True):
            result[names[group.rows[member]]].append(value)
    return result


def _pair(
    row: Candidates, verdicts: list[list[str]], scores: Scores, chosen: int, rejected: int, sure: float
) -> CodePair:
    passed = tuple(tuple(cell == "passed" for cell in cells) for cells in verdicts)
    counts = Counter(verdict for line in verdicts for verdict in line)
    return CodePair(
        prompt=row.prompt,
        chosen=row.codes[chosen].code,
        rejected=row.codes[rejected].code,
        prompt_id=row.prompt_id,
        confidence=sure,
        entry_point=row.entry_point,
        chosen_id=row.codes[chosen].code_id,
        rejected_id=row.codes[rejected].code_id,
        chosen_score=scores.code_scores[chosen],
        rejected_score=scores.code_scores[rejected],
        chosen_passed=sum(passed[chosen]),
        rejected_passed=sum(passed[rejected]),
        chosen_index=chosen,
        rejected_index=rejected,
        chosen_seed=row.codes[chosen].seed,
        rejected_seed=row.codes[rejected].seed,
        code_ids=tuple(code.code_id for code in row.codes),
        code_scores=scores.code_scores,
        tests=tuple(test.test for test in row.tests),
        test_scores=scores.test_scores,
        matrix=passed,
        verdict_counts=VerdictCounts(**counts),
        generator=row.generator,
        source=row.source,
        licence=row.licence,
    )
