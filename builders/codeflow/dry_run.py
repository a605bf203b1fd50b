"""What building trajectories will cost, before anything is asked or run."""

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from builders.chain.ask import Generation, Question
from builders.chain.dry_run import STAND_IN, Asking, BuildPlan, count_work, task_work
from builders.chain.seeds import Seed
from builders.codeflow.trajectories import History, Version
from codepref.records import Samples

TESTS_AN_ANSWER = 4
"""Assumed tests in an answer; those of gpt-3.5-turbo have 3.6 on average."""
FAILING = Version("x" * 1000, 0, "", ("failed",), "x" * 400, None, None, None)
"""Stand-in for what only the model can say: a program of 250 tokens and what is said about it."""


def plan_trajectories(rows: Iterable[History]) -> BuildPlan:
    """The plan for recorded trajectories."""
    count = runs = samples = 0
    for row in rows:
        count += 1
        samples += len(row.versions) + len(row.tests)
        runs += sum(not item.problem for item in row.versions) * len(row.tests)
    return BuildPlan(
        count, samples / max(count, 1), runs, f"{count:,} trajectories, all programs in them on their tests"
    )


def plan_loop(
    source: Iterable[Samples] | Iterable[Seed],
    generation: Generation,
    tasks: int | None,
    first: Sequence[Question],
    again: Sequence[Question],
) -> BuildPlan:
    """The plan for trajectories that are to be made: as if every program failed until the last round.

    Args:
        source: Prompts, or seeds if `tasks` says how many tasks are asked for each.
        generation: Backend and price.
        tasks: Tasks a seed; None for prompts.
        first: What is asked about every prompt.
        again: What is asked about every failing program, one after the other.
    """
    given = 0

    def failing(row: Samples) -> History:
        return History(row.prompt_id, "", row.prompt, row.entry_point, (), (FAILING,))

    def counted(rows: Iterable[Samples]) -> Iterator[Samples]:
        nonlocal given
        for row in rows:
            given += len(row.tests)
            yield row

    asks = [Asking("samples", first, generation.sampling)]
    asks += [Asking(ask.purpose, [ask], generation.sampling, failing) for ask in again]
    if tasks is None:
        prompts, works = count_work(counted(cast(Iterable[Samples], source)), asks, generation)
    else:
        prompts, works = task_work(cast(Iterable[Seed], source), generation, tasks)
        works += count_work([STAND_IN], asks, generation, prompts)[1]
    programs = 1 + sum(ask.purpose != "vote" for ask in again)
    words = f"at most: {prompts:,} prompts x {programs} programs, each on all tests of its prompt"
    answers = sum(ask.n for ask in first if ask.purpose == "test")
    tests = given / max(prompts, 1) + answers * TESTS_AN_ANSWER
    asked = sum(ask.n for ask in (*first, *again))
    price = generation.price_per_million
    return BuildPlan(prompts, asked, prompts * programs, words, tuple(works), price, tests)
