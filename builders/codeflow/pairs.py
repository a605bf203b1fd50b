"""Pairs and labels out of verified trajectories: which version is rejected, where it differs, and what is left out."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import pyarrow as pa

from builders.codeflow import filters
from builders.codeflow.filters import Filters
from builders.codeflow.spans import Focus, located
from builders.codeflow.trajectories import History, Version, failing
from codepref import lots
from codepref.records import Exclusion, VerdictCounts, content_id, from_table, to_table
from codepref.store import Shard

Choice = Literal["random", "first", "last", "all"]
Spans = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class RepairPair:
    """One row of the dataset."""

    prompt: Annotated[str, "the prompt, as the model saw it"]
    chosen: Annotated[str, "the repaired program, exactly as it was run"]
    rejected: Annotated[str, "an earlier version that fails, exactly as it was run"]
    prompt_id: Annotated[str, "id of the prompt"]
    chosen_spans: Annotated[Spans, "[first, last + 1) in characters of what only `chosen` holds"]
    rejected_spans: Annotated[Spans, "the same of `rejected`: where focal training looks"]
    pair_id: Annotated[str, "id of the pair: hash of prompt and both programs"]
    trajectory_id: Annotated[str, "id of the trajectory, in config `trajectories`"]
    entry_point: Annotated[str, "name of the function under test; empty for programs that read standard input"]
    focus: Annotated[str, "what the spans are: line, token or ast"]
    insertion_only: Annotated[
        bool, "whether nothing but missing lines is wrong; `rejected_spans` is the line after them"
    ]
    changed_lines: Annotated[int, "lines of D-, those that only `rejected` holds"]
    rejected_round: Annotated[int, "round of the rejected version; 0 is the first answer"]
    chosen_round: Annotated[int, "round of the passing version: repairs it took"]
    rejected_error: Annotated[str, "what the model was told about the rejected version"]
    chosen_tokens: Annotated[int, "length of `chosen`, by the tokenizer of the configuration"]
    rejected_tokens: Annotated[int, "length of `rejected`"]
    judge: Annotated[str | None, "answer of the judge; null if none was asked"]
    tests: Annotated[tuple[str, ...], "all tests, in the order of the verdicts"]
    versions: Annotated[tuple[Version, ...], "the whole history, first to last"]
    verdict_counts: Annotated[VerdictCounts, "verdicts of all versions on all tests"]
    generator: Annotated[str | None, "the model that wrote the versions"]
    source: Annotated[str | None, "where the prompt comes from"]
    licence: Annotated[str | None, "licence of the prompt"]


@dataclass(frozen=True)
class LabelledVersion:
    """One row of the config `kto`."""

    prompt: Annotated[str, "the prompt, as the model saw it"]
    completion: Annotated[str, "a program, exactly as it was run"]
    label: Annotated[bool, "true: passes all tests; false: fails one, and a later version passes all"]
    prompt_id: Annotated[str, "id of the prompt"]
    trajectory_id: Annotated[str, "id of the trajectory, in config `trajectories`"]
    round: Annotated[int, "round of this version; 0 is the first answer"]
    generator: Annotated[str | None, "the model that wrote it"]
    source: Annotated[str | None, "where the prompt comes from"]
    licence: Annotated[str | None, "licence of the prompt"]


@dataclass(frozen=True)
class RepairPairRule:
    """How pairs are drawn, located and filtered."""

    rejected: Choice = "random"
    focus: Focus = "line"
    filters: Filters = Filters()  # noqa: RUF009 - frozen
    seed: int = 0


def pair_versions(tokenizer: str | None, config: RepairPairRule, histories: pa.Table) -> Shard:
    """Stage `pairs`: pairs of every trajectory, or the reason why there are none.

    Prompts fall under `passes at once`, `unsolved`, `unjudged` or `no failing program`, versions of solved ones that
    are no program under `empty`, `unparseable` or `no entry point`, pairs under the rules of `filters.py`.

    Args:
        tokenizer: Path of the tokenizer; the config holds its hash.
        config: The rule.
        histories: Rows of `History`.
    """
    rules = replace(config.filters, tokenizer=tokenizer)
    rows, excluded = list[RepairPair](), list[Exclusion]()
    for row in from_table(histories, History):
        drawn = rejected_versions(config, row)
        excluded += [
            Exclusion("pairs", row.prompt_id, "code", item.problem, item.round, row.trajectory_id)
            for item in row.versions
            if item.problem and row.state == "passed"
        ]
        if isinstance(drawn, str):
            excluded.append(Exclusion("pairs", row.prompt_id, "prompt", drawn, detail=row.trajectory_id))
            drawn = []
        for item in drawn:
            pair = pair_or_filter(config.focus, rules, row, item)
            if isinstance(pair, Exclusion):
                excluded.append(pair)
            else:
                rows.append(pair)
    return Shard(to_table(rows, RepairPair), tuple(excluded))


def rejected_versions(config: RepairPairRule, row: History) -> list[Version] | str:
    """The failing versions that are rejected, or why there is none."""
    if row.state != "passed":
        return "unjudged" if row.state == "unjudged" else "unsolved"
    if len(row.versions) == 1:
        return "passes at once"
    first = dict[str, Version]()
    for item in failing(row):
        first.setdefault(item.code, item)
    distinct = list(first.values())
    if not distinct:
        return "no failing program"
    if config.rejected == "all":
        return distinct
    if config.rejected == "random":
        return [distinct[lots.index(len(distinct), config.seed, row.trajectory_id)]]
    return [distinct[0 if config.rejected == "first" else -1]]


def pair_or_filter(focus: Focus, rules: Filters, row: History, rejected: Version) -> RepairPair | Exclusion:
    """The pair of a failing version and the passing one, or the filter it falls under."""
    chosen = row.versions[-1]
    plain = located(focus, chosen.code, rejected.code)
    found = filters.marked(rules, rejected.code, plain)
    sizes = filters.sizes(rules, chosen.code, rejected.code)
    hit = filters.rule(rules, chosen.code, rejected.code, found.diff, sizes)
    if hit is not None:
        return Exclusion("pairs", row.prompt_id, "pair", hit[0], rejected.round, hit[1])
    counts = dict.fromkeys(VerdictCounts.__annotations__, 0)
    for verdict in (verdict for item in row.versions for verdict in item.verdicts):
        counts[verdict] += 1
    return RepairPair(
        prompt=row.prompt,
        chosen=chosen.code,
        rejected=rejected.code,
        prompt_id=row.prompt_id,
        chosen_spans=found.chosen,
        rejected_spans=found.rejected,
        pair_id=content_id(row.prompt, chosen.code, rejected.code),
        trajectory_id=row.trajectory_id,
        entry_point=row.entry_point,
        focus=focus,
        insertion_only=not plain.diff.minus,
        changed_lines=len(plain.diff.minus),
        rejected_round=rejected.round,
        chosen_round=chosen.round,
        rejected_error=rejected.error,
        chosen_tokens=sizes.chosen,
        rejected_tokens=sizes.rejected,
        judge=None,
        tests=row.tests,
        versions=row.versions,
        verdict_counts=VerdictCounts(**counts),
        generator=row.generator,
        source=row.source,
        licence=row.licence,
    )


def label_versions(_: None, histories: pa.Table) -> Shard:
    """Stage `labelled`: programs with a label. Failing versions of a trajectory that was never solved have none."""
    rows = [
        LabelledVersion(
            row.prompt,
            item.code,
            item.state == "passed",
            row.prompt_id,
            row.trajectory_id,
            item.round,
            row.generator,
            row.source,
            row.licence,
        )
        for row in from_table(histories, History)
        if row.state == "passed"
        for item in [*failing(row), row.versions[-1]]
    ]
    return Shard(to_table(rows, LabelledVersion))
