"""Efficiency pairs: of two codes that pass the same trusted tests, the one that needs less CPU time is preferred.

CodeDPO (Zhang et al., arXiv 2410.05605) takes the tests that the best code passes as trusted, and pairs fast with slow
among the codes that pass them all. How time is measured the paper does not say; here:

- Trusted are the tests that the best code passes and that compare one call on literals with a literal other than None;
  of programs that read standard input, all that it passes.
- The cost of a code is the CPU time of a fresh run on all trusted tests (builders/codedpo/timing.py), never wall time.
- The fastest and the slowest code make a pair if the slow one takes at least `ratio` times as long, and longer than two
  measurements of the same code ever differ.
- Inputs too small to show a difference are scaled up (`larger_inputs.py`) as far as all codes still agree on the
  output. Where small inputs show a difference, larger ones must not show the opposite.
- `confidence` is 0.5 where the ratio is no larger than the noise, and goes to 1 as it leaves it behind (in logarithms).

Measured times are part of the row. They differ from run to run; a finished stage is not measured again.
"""

import math
import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import pyarrow as pa
from pydantic import Field

from builders.chain.ask import Count
from builders.chain.matrix import sandbox_of
from builders.codedpo import larger_inputs
from builders.codedpo.larger_inputs import ENOUGH_S, Call, Scaled, call_of, scaled
from builders.codedpo.timing import (
    AnyWorkload,
    CostComparison,
    ProgramWorkload,
    Workload,
    compare_costs,
    program_executions,
    timing_executions,
)
from codepref.lots import fraction
from codepref.records import Candidate, Candidates, Exclusion, Outcomes, Scores, VerdictCounts, from_table, to_table
from codepref.sandbox import Limits, Sandbox
from codepref.stdin import read_test
from codepref.store import Shard

LOWEST_RATIO = 1.15
"""Below this, equal codes look different now and then, however often they are run."""


@dataclass(frozen=True)
class Efficiency:
    """Which efficiency pairs are made."""

    enabled: bool = False
    ratio: Annotated[float, Field(ge=LOWEST_RATIO)] = 1.3
    """How many times as long the slow code must take at least."""
    scale: bool = True
    """Whether inputs too small to show a difference are scaled up."""
    min_tests: Count = 3
    """Trusted tests a prompt must have."""
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Of the prompts, by a hash of their id, that are measured at all: that takes a second or more each."""


@dataclass(frozen=True)
class Measurement:
    """What the stage depends on."""

    rule: Efficiency
    limits: Limits = Limits()  # noqa: RUF009 - frozen
    python: str = platform.python_version()


@dataclass(frozen=True)
class EfficiencyPair:
    """One row of the dataset's config `efficiency`."""

    prompt: Annotated[str, "the prompt, as the model saw it"]
    chosen: Annotated[str, "the faster program, exactly as it was run"]
    rejected: Annotated[str, "the slower program, exactly as it was run; it passes the same trusted tests"]
    prompt_id: Annotated[str, "id of the prompt"]
    confidence: Annotated[float, "0.5 to 1: how far the ratio of the times is from what equal codes show"]
    entry_point: Annotated[str, "name of the function under test; empty for programs that read standard input"]
    chosen_id: Annotated[str, "id of the chosen code: hash of prompt id and text"]
    rejected_id: Annotated[str, "id of the rejected code"]
    speedup: Annotated[float, "CPU time of the rejected code over that of the chosen one"]
    chosen_cpu_s: Annotated[float, "CPU seconds the chosen code takes for the module and all timed calls"]
    rejected_cpu_s: Annotated[float, "CPU seconds the rejected code takes"]
    noise: Annotated[float, "99th percentile of that ratio for two measurements of one code, from the same rounds"]
    rounds: Annotated[int, "rounds of measuring, two batches of each code in each; the lowest counts"]
    scaled: Annotated[bool, "whether the timed inputs are larger than those of the trusted tests"]
    scale_factor: Annotated[int, "how many times as large; 1 if not scaled"]
    scale_rule: Annotated[str | None, "`extended` or `repeated`: how lists of integers grew; null if not scaled"]
    timed_calls: Annotated[int, "number of calls in one run: of the trusted tests', those that could be scaled"]
    trusted_tests: Annotated[tuple[str, ...], "tests that both codes pass, and the best code of the ranking"]
    candidates: Annotated[int, "number of distinct codes that pass all trusted tests; these two are its extremes"]
    verdict_counts: Annotated[VerdictCounts, "number of cells of the whole matrix by verdict"]
    generator: Annotated[str | None, "the model that wrote codes and tests"]
    source: Annotated[str | None, "where the prompt comes from"]
    licence: Annotated[str | None, "licence of the prompt"]


@dataclass(frozen=True)
class Entrants:
    """Who competes on what."""

    codes: tuple[Candidate, ...]
    tests: tuple[str, ...]
    calls: tuple[Call, ...]
    """Those of the tests; none where they are by input and output."""

    @property
    def work(self) -> AnyWorkload:
        """What is timed."""
        if not self.calls:
            return ProgramWorkload(self.tests)
        return Workload(self.calls[0].entry_point, tuple(map(str, self.calls)))


@dataclass(frozen=True)
class Result:
    """A comparison, and the inputs it was made on."""

    found: CostComparison
    work: AnyWorkload
    larger: Scaled | None = None


def measure_efficiency(config: Measurement, candidates: pa.Table, outcomes: pa.Table, scores: pa.Table) -> Shard:
    """Stage `efficiency`: one efficiency pair a prompt, or the reason why there is none. It measures.

    Prompts fall under `not drawn`, `too few trusted tests`, `fewer than 2 distinct candidates`, `not measurable`,
    `no difference`, `within noise` or `direction depends on input size`.
    """
    named = {row.prompt_id: row for row in from_table(candidates, Candidates)}
    ran = {row.prompt_id: row for row in from_table(outcomes, Outcomes)}
    rows, excluded = [], list[Exclusion]()
    for row in from_table(scores, Scores):
        if not _drawn(row.prompt_id, config.rule.share):
            excluded.append(Exclusion("efficiency", row.prompt_id, "prompt", "not drawn"))
            continue
        pair = _pair(config, named[row.prompt_id], ran[row.prompt_id], row)
        if isinstance(pair, Exclusion):
            excluded.append(pair)
        else:
            rows.append(pair)
    return Shard(to_table(rows, EfficiencyPair), tuple(excluded))


def _drawn(prompt_id: str, share: float) -> bool:
    return fraction(prompt_id) < share


def _pair(config: Measurement, row: Candidates, ran: Outcomes, scores: Scores) -> EfficiencyPair | Exclusion:
    field = entrants(row, ran, scores)
    if len(field.tests) < config.rule.min_tests:
        return Exclusion("efficiency", row.prompt_id, "prompt", "too few trusted tests", detail=str(len(field.tests)))
    if len(field.codes) < 2:
        return Exclusion("efficiency", row.prompt_id, "prompt", "fewer than 2 distinct candidates")
    result = measure_prompt(config, field)
    if isinstance(result, str):
        rule, _, detail = result.partition(": ")
        return Exclusion("efficiency", row.prompt_id, "prompt", rule, detail=detail)
    return _row(row, ran, field, result)


def entrants(row: Candidates, ran: Outcomes, scores: Scores) -> Entrants:
    """The trusted tests, and the codes of different text that pass them all, in the order they were sampled.

    They pass, too, what the best code passes of the prompt's examples.
    """
    passed = np.array(ran.verdicts) == "passed"
    values = np.array(scores.code_scores)
    best = min(map(int, np.flatnonzero(values == np.nanmax(values))), key=lambda i: (len(row.codes[i].code), i))
    plain = [int(j) for j in np.flatnonzero(passed[best]) if ran.modes[best][j] == "plain"]
    trusted, calls = _trusted(row, plain)
    known = np.array(ran.example_verdicts or [()] * len(row.codes), dtype=str) == "passed"
    agrees = (known | ~known[best]).all(axis=1) & passed[:, trusted].all(axis=1)
    able = [i for i in range(len(row.codes)) if not math.isnan(values[i]) and agrees[i]]
    distinct = {row.codes[i].code: row.codes[i] for i in reversed(able)}
    codes = tuple(reversed(distinct.values()))
    return Entrants(codes, tuple(row.tests[j].test for j in trusted), calls)


def _trusted(row: Candidates, places: Sequence[int]) -> tuple[list[int], tuple[Call, ...]]:
    """Those of the tests that can be timed, and their calls, each once."""
    if not row.entry_point:
        return [j for j in places if read_test(row.tests[j].test) is not None], ()
    trusted: list[int] = []
    calls: list[Call] = []
    for j in places:
        call = call_of(row.tests[j].test, row.entry_point)
        if call is not None and call not in calls:
            trusted.append(j)
            calls.append(call)
    return trusted, tuple(calls)


def measure_prompt(config: Measurement, field: Entrants) -> Result | str:
    """The fastest and the slowest code, far enough apart; or why there are none: rule, colon, detail."""
    timing, judging = _sandboxes(config.limits)
    codes = [item.code for item in field.codes]
    work = field.work
    found = compare_costs(timing, work, codes)
    if found is None:
        return "not measurable"
    verdict = clear(config.rule, found)
    large = verdict is None and found.slow_s >= ENOUGH_S * len(work.calls)
    wanted = config.rule.scale and not large and bool(field.calls)
    larger = scaled(judging, codes, field.calls, config.rule.min_tests) if wanted else None
    if larger is None:
        return verdict or Result(found, work)
    if verdict is None:
        return _unless_reversed(timing, Result(found, work), codes, larger)
    found = compare_costs(timing, larger.work, codes)
    return "not measurable" if found is None else clear(config.rule, found) or Result(found, larger.work, larger)


def clear(rule: Efficiency, found: CostComparison) -> str | None:
    """None if the two codes differ; else why they can not be told apart."""
    if found.speedup < rule.ratio:
        return f"no difference: {found.speedup:.3f} < {rule.ratio}"
    return f"within noise: {found.speedup:.3f} <= {found.noise:.3f}" if found.speedup <= found.noise else None


def _unless_reversed(timing: Sandbox, result: Result, codes: Sequence[str], larger: Scaled) -> Result | str:
    """The result, unless the slow code is the faster one on larger inputs."""
    again = compare_costs(timing, larger.work, [codes[result.found.fast], codes[result.found.slow]])
    if again is not None and again.fast == 1 and again.speedup > max(LOWEST_RATIO, again.noise):
        return f"direction depends on input size: {result.found.speedup:.3f}, then 1 / {again.speedup:.3f}"
    return result


def _sandboxes(limits: Limits) -> tuple[Sandbox, Sandbox]:
    """For times and for values."""
    generous = replace(limits, cpu_s=10 * limits.cpu_s, screen_s=None, wall_s=10 * limits.wall_s, output_bytes=1 << 30)
    values = replace(limits, cpu_s=limits.cpu_s / 4, screen_s=None, output_bytes=1 << 22)
    return sandbox_of(generous, "official", "code"), sandbox_of(values)


def most_executions(rule: Efficiency, codes: int, tests: int, programs: bool = False) -> int:
    """Executions that measuring a prompt takes at most: inputs as they are, larger ones tried, larger ones measured.

    `programs`: that read standard input; their inputs are taken as they are.
    """
    if codes < 2 or tests < rule.min_tests:
        return 0
    if programs:
        return program_executions(codes, tests)
    once = timing_executions(codes)
    return 2 * once + larger_inputs.enlarging_executions(codes, tests) if rule.scale else once


def speed_confidence(speedup: float, noise: float) -> float:
    """How sure the direction is: 0.5 where the ratio is the noise, towards 1 beyond."""
    return 1.0 - 0.5 * min(1.0, math.log(noise) / math.log(speedup))


def _row(row: Candidates, ran: Outcomes, field: Entrants, result: Result) -> EfficiencyPair:
    found, larger = result.found, result.larger
    chosen, rejected = field.codes[found.fast], field.codes[found.slow]
    return EfficiencyPair(
        prompt=row.prompt,
        chosen=chosen.code,
        rejected=rejected.code,
        prompt_id=row.prompt_id,
        confidence=_rounded(speed_confidence(found.speedup, found.noise)),
        entry_point=row.entry_point,
        chosen_id=chosen.code_id,
        rejected_id=rejected.code_id,
        speedup=_rounded(found.speedup),
        chosen_cpu_s=_rounded(found.fast_s),
        rejected_cpu_s=_rounded(found.slow_s),
        noise=_rounded(found.noise),
        rounds=found.rounds,
        scaled=larger is not None,
        scale_factor=larger.factor if larger else 1,
        scale_rule=larger.rule if larger else None,
        timed_calls=len(result.work.calls),
        trusted_tests=field.tests,
        candidates=len(field.codes),
        verdict_counts=VerdictCounts(**Counter(verdict for verdicts in ran.verdicts for verdict in verdicts)),
        generator=row.generator,
        source=row.source,
        licence=row.licence,
    )


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
