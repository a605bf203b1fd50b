"""DSTC's stage `pairs`: one prompt's matrix and scores -> one pair of answers, or the reason why there is none."""

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from builders.chain import ranking
from builders.dstc import minimax
from builders.dstc.answers import AnswerPair, concatenated
from codepref.records import (
    Candidate,
    Candidates,
    Exclusion,
    Outcomes,
    Scores,
    Test,
    VerdictCounts,
    from_table,
    to_table,
)
from codepref.store import Shard
from codepref.templates import compile_template

Same = Literal["keep", "drop"]
Ties = Literal["shorter", "median"]
Selection = Literal["minimax", "ranked", "random"]


@dataclass(frozen=True)
class AnswerPairRule:
    """What stage `pairs` depends on."""

    template: str
    """Text of the template of `prompt`."""
    selection: Selection = "minimax"
    ties: Ties = "shorter"
    min_passing: int = 1
    concatenate: bool = True
    fenced: bool = True
    same_code: Same = "keep"
    seed: int = 0
    temperature: float | None = None
    timeout_s: float = 1.0
    round: int = 1


@dataclass(frozen=True)
class _Judged:
    """One prompt's codes without unjudged cells, and everything that is known about them."""

    row: Candidates
    codes: tuple[Candidate, ...]
    scores: tuple[float, ...]
    verdicts: tuple[tuple[str, ...], ...]

    @property
    def passed(self) -> minimax.Matrix:
        return np.asarray(np.array(self.verdicts) == "passed", dtype=np.bool_)


def pair_answers(config: AnswerPairRule, candidates: pa.Table, outcomes: pa.Table, scores: pa.Table) -> Shard:
    """Stage `pairs`: one pair a prompt, or the reason why there is none.

    Rules: those of `builders.dstc.minimax`, and `same code on both sides`.
    """
    ready = {row.prompt_id: row for row in from_table(candidates, Candidates)}
    ran = {row.prompt_id: row for row in from_table(outcomes, Outcomes)}
    rows, excluded = [], list[Exclusion]()
    for scored in from_table(scores, Scores):
        judged = _judged(ready[scored.prompt_id], ran[scored.prompt_id], scored)
        picks = select_picks(config, judged.row.tests, judged.codes, judged.passed, judged.scores)
        if isinstance(picks, str):
            excluded.append(Exclusion("pairs", scored.prompt_id, "prompt", picks))
        elif picks.same_code and config.same_code == "drop":
            excluded.append(Exclusion("pairs", scored.prompt_id, "prompt", "same code on both sides"))
        else:
            rows.append(_pair(config, judged, picks))
    return Shard(to_table(rows, AnswerPair), tuple(excluded))


def _judged(row: Candidates, ran: Outcomes, scored: Scores) -> _Judged:
    among = [index for index, score in enumerate(scored.code_scores) if not math.isnan(score)]
    return _Judged(
        row,
        tuple(row.codes[index] for index in among),
        tuple(scored.code_scores[index] for index in among),
        tuple(ran.verdicts[index] for index in among),
    )


def select_picks(
    config: AnswerPairRule,
    tests: Sequence[Test],
    codes: Sequence[Candidate],
    passed: minimax.Matrix,
    scores: Sequence[float],
) -> minimax.Picks | str:
    """The picks for one prompt, or the reason why there are none.

    Args:
        config: The rule.
        tests: The columns of `passed`.
        codes: The rows of `passed`.
        passed: Shape (codes, tests).
        scores: What codes are compared by, shape (codes,).
    """
    allowed = None
    if config.min_passing > 1:
        ids = np.array([code.code_id for code in codes])
        allowed = np.array([len(set(ids[column])) >= config.min_passing for column in passed.T])
    if config.selection == "random":
        cells = [[f"{code.code_id}:{test.test_id}" for test in tests] for code in codes]
        return minimax.at_random(passed, ranking.random(cells, config.seed), allowed)
    code_choice, test_choice = _choices(config, codes, tests)
    return minimax.minimax(passed, scores, codes=code_choice, tests=test_choice, allowed=allowed)


def _choices(
    config: AnswerPairRule, codes: Sequence[Candidate], tests: Sequence[Test]
) -> tuple[minimax.CodeChoice, minimax.TestChoice]:
    """Which of equally good codes and tests: the rules of `builders/dstc/method.py`, 'Ties'."""

    def lot(name: str) -> float:
        return float(ranking.random([[name]], config.seed)[0, 0])

    def shorter_test(tied: Sequence[int]) -> int:
        return min(tied, key=lambda k: (len(tests[k].test), lot(tests[k].test_id), k))

    def shorter_code(tied: Sequence[int], _: int | None) -> int:
        return min(tied, key=lambda j: (len(codes[j].code), lot(codes[j].code_id), j))

    def code_of_like_length(tied: Sequence[int], chosen: int | None) -> int:
        wanted = statistics.median_low(codes[j].nodes for j in tied) if chosen is None else codes[chosen].nodes
        return min(tied, key=lambda j: (abs(codes[j].nodes - wanted), lot(codes[j].code_id), j))

    return (shorter_code if config.ties == "shorter" else code_of_like_length), shorter_test


def _pair(config: AnswerPairRule, judged: _Judged, picks: minimax.Picks) -> AnswerPair:
    row, codes, tests, passed = judged.row, judged.codes, judged.row.tests, judged.passed
    chosen, rejected = (
        concatenated(codes[code].code, tests[test].test if config.concatenate else None, config.fenced)
        for code, test in (
            (picks.chosen_code, picks.chosen_test),
            (picks.rejected_code, picks.rejected_test),
        )
    )
    return AnswerPair(
        prompt=_asked(config.template, row),
        chosen=chosen,
        rejected=rejected,
        chosen_code_index=picks.chosen_code,
        chosen_test_index=picks.chosen_test,
        rejected_code_index=picks.rejected_code,
        rejected_test_index=picks.rejected_test,
        prompt_id=row.prompt_id,
        round=config.round,
        task=row.prompt,
        entry_point=row.entry_point,
        same_code=picks.same_code,
        equals=picks.equals,
        codes=tuple(code.code for code in codes),
        tests=tuple(test.test for test in tests),
        matrix=tuple(map(tuple, passed.tolist())),
        code_passes=tuple(passed.sum(axis=1).tolist()),
        test_passes=tuple(passed.sum(axis=0).tolist()),
        code_scores=judged.scores,
        code_seeds=tuple(code.seed for code in codes),
        test_seeds=tuple(test.seed for test in tests),
        temperature=config.temperature,
        timeout_s=config.timeout_s,
        verdict_counts=VerdictCounts(**Counter(verdict for line in judged.verdicts for verdict in line)),
        generator=row.generator,
        source=row.source,
        licence=row.licence,
    )


def _asked(template: str, row: Candidates) -> str:
    names = {"prompt": row.prompt, "entry_point": row.entry_point, "prompt_id": row.prompt_id}
    return compile_template(template).render(names).strip()
