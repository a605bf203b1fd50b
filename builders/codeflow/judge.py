"""A model's opinion on pairs: do the two programs differ in their logic, or only in format? Off unless configured."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from builders.chain.ask import TEMPLATES, Drawing, Generation, Inquiry, Question, ask_stage
from codepref.generate import Completion, Sampling
from codepref.records import Exclusion, from_table
from codepref.stages import Runner
from codepref.store import Shard, Stage

_WORD = re.compile(r"^\W*(KEEP|DROP)\W*$", re.MULTILINE)


@dataclass(frozen=True)
class Judge:
    """Who judges, and what is asked."""

    generation: Generation
    """A backend, as for programs; its `sampling` is not used."""
    sampling: Sampling = Sampling(temperature=0.0)  # noqa: RUF009 - frozen
    template: str = str(TEMPLATES / "judge.jinja")


@dataclass(frozen=True)
class Case:
    """What the judge is asked about."""

    pair_id: str
    prompt_id: str
    prompt: str
    entry_point: str
    chosen: str
    rejected: str


@dataclass(frozen=True)
class Opinion:
    """What the judge answered."""

    pair_id: str
    answer: str
    keep: bool


def judge_pairs(runner: Runner, judge: Judge, pairs: Stage, seed: int) -> list[Stage]:
    """Stages `cases`, `opinions` and `judged`: the pairs the judge keeps, its answer in their column `judge`.

    Pairs fall under `differs in format` or, where the answer has no verdict, `judge unclear`.

    Args:
        runner: Where the stages go.
        judge: Who is asked.
        pairs: Rows with the fields of `Case`, and `judge`.
        seed: Run seed.
    """
    cases = runner.map("cases", cases_of, None, [pairs], here=True)
    inquiry = Inquiry([Question("judge", judge.template, 1)], _answered, Case, Opinion)
    opinions = ask_stage(runner, "opinions", cases, inquiry, Drawing(judge.generation, judge.sampling, seed))
    return [cases, opinions, runner.map("judged", kept, None, [pairs, opinions], here=True)]


def cases_of(_: None, pairs: pa.Table) -> Shard:
    """Stage `cases`: what the judge needs of the pairs, the id first."""
    return Shard(pairs.select(list(Case.__annotations__)))


def _answered(row: Case, answers: Sequence[Sequence[Completion]], _: str) -> tuple[list[Opinion], list[Exclusion]]:
    text = answers[0][0].text
    found = _WORD.findall(text)
    if not found:
        return [], [Exclusion("opinions", row.prompt_id, "pair", "judge unclear", detail=text[-200:])]
    excluded = [Exclusion("opinions", row.prompt_id, "pair", "differs in format", detail=text[-200:])]
    return [Opinion(row.pair_id, text, found[-1] == "KEEP")], excluded if found[-1] == "DROP" else []


def kept(_: None, pairs: pa.Table, opinions: pa.Table) -> Shard:
    """Stage `judged`: the pairs that are kept, with the answer."""
    answers = {row.pair_id: row.answer for row in from_table(opinions, Opinion) if row.keep}
    ids = pairs.column("pair_id").to_pylist()
    rows = pairs.filter(pa.array([name in answers for name in ids], pa.bool_()))
    said = pa.array([answers[name] for name in ids if name in answers], pa.string())
    return Shard(rows.set_column(rows.schema.get_field_index("judge"), "judge", said))
