"""Answers that hold a code and a test: how they are written, run again as one program, and exported for DPO and KTO."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import pyarrow as pa

from builders.chain.matrix import Execution, sandbox_of
from codepref import extract
from codepref.publish.cards import code_block
from codepref.records import Exclusion, VerdictCounts, from_table, to_table
from codepref.sandbox import Job
from codepref.stdin import read_test
from codepref.store import Shard

NOTHING = "pass\n"
"""The test of a program that tests itself."""


@dataclass(frozen=True)
class _Texts:
    prompt: Annotated[str, "what the model is asked: a function and, where answers are concatenated, a test of it"]
    chosen: Annotated[str, "the preferred answer: the code, then the test it passes; Markdown blocks, or bare text"]
    rejected: Annotated[str, "the other answer: the code, then the test it fails, in the same form"]


@dataclass(frozen=True)
class _Answer:
    prompt: Annotated[str, "what the model is asked: a function and, where answers are concatenated, a test of it"]
    completion: Annotated[str, "an answer: the code, then the test; Markdown blocks, or bare text"]
    label: Annotated[bool, "true: desirable (code and test agree), false: undesirable (the code fails the test)"]


@dataclass(frozen=True)
class _Evidence:
    """What both exports say about a prompt."""

    prompt_id: Annotated[str, "id of the prompt"]
    round: Annotated[int, "on-policy round, from 1: samples are those of the model trained on the round before"]
    task: Annotated[str, "the task alone, as it was given"]
    entry_point: Annotated[str, "name of the function under test; empty for programs that read standard input"]
    same_code: Annotated[bool, "whether one code stands on both sides, with different tests"]
    equals: Annotated[
        tuple[int, ...], "how many were equally good as chosen code, chosen test, rejected code, rejected test"
    ]
    codes: Annotated[tuple[str, ...], "all codes that were judged, one a row of `matrix`"]
    tests: Annotated[tuple[str, ...], "all tests, one a column of `matrix`"]
    matrix: Annotated[tuple[tuple[bool, ...], ...], "whether code i passed test j"]
    code_passes: Annotated[tuple[int, ...], "R: number of tests each code passes"]
    test_passes: Annotated[tuple[int, ...], "Q: number of codes that pass each test"]
    code_scores: Annotated[tuple[float, ...], "what codes were compared by; R where the selection is minimax or random"]
    code_seeds: Annotated[tuple[int | None, ...], "sampling seed of each code; null for recordings"]
    test_seeds: Annotated[tuple[int | None, ...], "sampling seed of each test; null for recordings"]
    temperature: Annotated[float | None, "sampling temperature of codes and tests; null for recordings"]
    timeout_s: Annotated[float, "CPU seconds a test might take"]
    verdict_counts: Annotated[VerdictCounts, "number of cells by verdict"]
    generator: Annotated[str | None, "the model that wrote codes and tests"]
    source: Annotated[str | None, "where the prompt comes from"]
    licence: Annotated[str | None, "licence of the prompt"]


@dataclass(frozen=True)
class _Sides:
    chosen_code_index: Annotated[int, "row of the chosen code in `matrix`"]
    chosen_test_index: Annotated[int, "column of the chosen test"]
    rejected_code_index: Annotated[int, "row of the rejected code"]
    rejected_test_index: Annotated[int, "column of the rejected test"]


@dataclass(frozen=True)
class _Side:
    code_index: Annotated[int, "row of this answer's code in `matrix`"]
    test_index: Annotated[int, "column of this answer's test"]


@dataclass(frozen=True)
class AnswerPair(_Evidence, _Sides, _Texts):
    """One row of the config `dpo`."""


@dataclass(frozen=True)
class LabelledAnswer(_Evidence, _Side, _Answer):
    """One row of the config `kto`."""


def concatenated(code: str, test: str | None, fenced: bool = True) -> str:
    """The answer with a code and, unless it is None, a test, the code first: one Markdown block each, or bare text.

    A test by input and output is two blocks, in bare text too.
    """
    given = None if test is None else read_test(test)
    if given is not None:
        return "\n\n".join([code_block(code) if fenced else code, given.blocks()])
    parts = [text for text in (code, test) if text is not None]
    return "\n\n".join(map(code_block, parts)) if fenced else "\n".join(parts)


def joined_program(answer: str, test: str) -> str:
    """An answer as one program that tests itself: its blocks one after the other, or its only block and the test."""
    blocks = extract.fenced_blocks(answer) or [answer]
    return "\n".join(blocks if len(blocks) > 1 else [*blocks, test])


def verify_pairs(config: Execution, pairs: pa.Table) -> Shard:
    """Stage `verified`: the pairs whose sides, each run again as one program, do what the matrix says.

    Rules: `chosen fails as one program`, `rejected passes as one program`, `unjudged as one program`.
    """
    rows = list(from_table(pairs, AnswerPair))
    jobs = [Job(row.prompt_id, (code,), (test,)) for row in rows for code, test in _sides(row)]
    matrices = sandbox_of(config.limits, "official").run_many(jobs)
    verdicts = iter([matrix.cells[0][0].verdict for matrix in matrices])
    kept, excluded = [], list[Exclusion]()
    for row in rows:
        chosen, rejected = next(verdicts), next(verdicts)
        rule = _broken(chosen, rejected)
        if rule:
            detail = f"chosen {chosen}, rejected {rejected}"
            excluded.append(Exclusion("verified", row.prompt_id, "prompt", rule, detail=detail))
        else:
            kept.append(row)
    return Shard(to_table(kept, AnswerPair), tuple(excluded))


def _sides(row: AnswerPair) -> Iterator[tuple[str, str]]:
    """Of each side the program that is run and the test it is run on: itself, or the input and output beside it."""
    for answer, code, test in (
        (row.chosen, row.chosen_code_index, row.tests[row.chosen_test_index]),
        (row.rejected, row.rejected_code_index, row.tests[row.rejected_test_index]),
    ):
        if read_test(test) is None:
            yield joined_program(answer, test), NOTHING
        else:
            yield extract.fenced_blocks(answer)[0] if answer.startswith("```") else row.codes[code], test


def _broken(chosen: str, rejected: str) -> str:
    if "unjudged" in (chosen, rejected):
        return "unjudged as one program"
    if chosen != "passed":
        return "chosen fails as one program"
    return "rejected passes as one program" if rejected == "passed" else ""


def unpair_answers(_: None, pairs: pa.Table) -> Shard:
    """Stage `unpaired`: every pair as two rows, the desirable answer first."""
    return Shard(to_table((row for pair in from_table(pairs, AnswerPair) for row in _split(pair)), LabelledAnswer))


def _split(pair: AnswerPair) -> Iterator[LabelledAnswer]:
    shared: dict[str, Any] = {f.name: getattr(pair, f.name) for f in dataclasses.fields(_Evidence)}
    for label, completion, code, test in (
        (True, pair.chosen, pair.chosen_code_index, pair.chosen_test_index),
        (False, pair.rejected, pair.rejected_code_index, pair.rejected_test_index),
    ):
        yield LabelledAnswer(pair.prompt, completion, label, **shared, code_index=code, test_index=test)
