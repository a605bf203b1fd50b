"""Stage `scores`: the codes and tests of every prompt, ranked by each other."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pyarrow as pa
from pydantic import Field

from builders.chain import evidence, ranking
from builders.chain.ask import Count
from codepref.records import Exclusion, Scores, to_table
from codepref.store import Shard


@dataclass(frozen=True)
class Ranking:
    """Which ranking, and the self-validation score's parameters, named as in the paper."""

    damping: Annotated[float, Field(ge=0, le=1)] = 0.85
    iterations: Count = 10
    schedule: ranking.Schedule = "simultaneous"
    name: ranking.Name = "self_validation"
    """One of the rankings of `builders.chain.ranking`; the other keys are for `self_validation`."""
    seed: int = 0
    """What `random` draws by."""


def score_matrices(config: Ranking, candidates: pa.Table, outcomes: pa.Table) -> Shard:
    """Stage `scores`: every prompt's codes and tests ranked by each other; codes with unjudged cells are left out.

    Scores keep 12 significant digits; the score of a code that was left out is NaN.
    """
    codes = dict(zip(candidates.column("prompt_id").to_pylist(), candidates.column("codes"), strict=True))
    names = outcomes.column("prompt_id").to_pylist()
    rows, excluded = dict[int, Scores](), dict[int, list[Exclusion]]()
    for group in evidence.read_stacks(outcomes):
        mine = [names[row] for row in group.rows]
        for row, name in zip(group.rows, mine, strict=True):
            samples = codes[name].values.field("sample").take(np.flatnonzero(~group.kept)).to_pylist()
            excluded[row] = [Exclusion("scores", name, "code", "unjudged", sample) for sample in samples]
            if group.kept.sum() < 2:
                excluded[row].append(Exclusion("scores", name, "prompt", "fewer than 2 judged codes"))
        if group.kept.sum() >= 2:
            code_scores = np.full((len(mine), len(group.kept)), np.nan)
            ranked = _rank(config, group, [codes[name] for name in mine])
            code_scores[:, group.kept], test_scores = ranking.with_examples(group.evidence, *ranked)
            for row, name, *both in zip(group.rows, mine, code_scores.tolist(), test_scores.tolist(), strict=True):
                rows[row] = Scores(name, *map(_rounded, both))
    left_out = tuple(item for row in sorted(excluded) for item in excluded[row])
    return Shard(to_table([rows[row] for row in sorted(rows)], Scores), left_out)


def _rank(config: Ranking, group: evidence.Group, codes: list[pa.ListScalar]) -> tuple[ranking.Floats, ranking.Floats]:
    if config.name == "self_validation":
        return ranking.self_validation(
            group.evidence.passed,
            damping=config.damping,
            iterations=config.iterations,
            schedule=config.schedule,
        )
    if config.name == "random":
        ids = [row.values.field("code_id").filter(pa.array(group.kept)).to_pylist() for row in codes]
        return ranking.with_tests(group.evidence, ranking.random(ids, config.seed))
    return ranking.rank(config.name, group.evidence)


def _rounded(values: list[float]) -> tuple[float, ...]:
    return tuple(float(f"{value:.12g}") for value in values)
