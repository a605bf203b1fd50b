"""What a build will cost, before anything is asked or run."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from builders import seeds
from builders.samples import Generation, Question, questions, requests_of
from builders.trajectories import History, Version
from codepref.generate import Price, Sampling
from codepref.records import Candidates, Samples

CHARACTERS_A_TOKEN = 4
EXPECTED = {"concepts": 60, "task": 200, "code": 250, "test": 200}
"""Assumed tokens of a usual answer, on the generous side; recorded answers with tests by gpt-3.5-turbo to HumanEval
prompts have 393 characters on average."""
CONCEPTS = ("a concept in a handful of words",) * 5
TASK = "x" * 800
FAILING = Version("x" * 1000, 0, "", ("failed",), "x" * 400, None, None, None)
"""Stand-ins for what only the model can say: five concepts a seed, a task of 200 tokens, a program of 250 tokens and
what is said about it."""


@dataclass(frozen=True)
class Work:
    """What one stage asks for."""

    stage: str
    requests: int
    """Requests over the wire."""
    prompt_tokens: int
    completion_tokens: int
    most: int
    """Completion tokens if every answer is as long as it may be."""


def recorded(rows: Iterable[Candidates]) -> str:
    """The plan for recorded samples whose candidates are known."""
    prompts = runs = 0
    for row in rows:
        prompts += 1
        runs += (len(row.codes) + 1) * len(row.tests)
    return _report([], runs, f"{prompts:,} prompts, their codes and a stub on their tests", None)


def from_prompts(rows: Iterable[Any], generation: Generation, codes: int, tests: int) -> str:
    """The plan for prompts that are to be asked."""
    counted = list(rows)
    work = _work("samples", counted, questions(generation, codes, tests), generation, generation.sampling)
    return _report([work], *_runs(len(counted), codes, tests), generation.price_per_million)


def from_seeds(rows: Iterable[seeds.Seed], generation: Generation, tasks: int, codes: int, tests: int) -> str:
    """The plan for seeds: as if every answer kept its format and no gate left anything out."""
    works, prompts = _tasks(rows, generation, tasks)
    works.append(_work("samples", prompts, questions(generation, codes, tests), generation, generation.sampling))
    return _report(works, *_runs(len(prompts), codes, tests), generation.price_per_million)


def _tasks(rows: Iterable[seeds.Seed], generation: Generation, tasks: int) -> tuple[list[Work], list[Samples]]:
    """The work that makes prompts of seeds, and stand-ins for the prompts."""
    counted = list(rows)
    concept, task = seeds.questions(generation, tasks)
    full = [seeds.Concepts(**asdict(row), concepts=CONCEPTS) for row in counted]
    works = [
        _work("concepts", counted, [concept], generation, generation.task_sampling),
        _work("tasks", full, [task], generation, generation.task_sampling),
    ]
    return works, [Samples("", TASK, "name", (), ())] * (len(counted) * tasks)


def recorded_trajectories(rows: Iterable[History]) -> str:
    """The plan for recorded trajectories."""
    count = runs = 0
    for row in rows:
        count += 1
        runs += sum(not item.problem for item in row.versions) * len(row.tests)
    return _report([], runs, f"{count:,} trajectories, all programs in them on their tests", None)


def from_loop(
    source: Iterable[Samples] | Iterable[seeds.Seed],
    generation: Generation,
    tasks: int | None,
    first: Sequence[Question],
    again: Sequence[Question],
) -> str:
    """The plan for trajectories that are to be made: as if every program failed until the last round.

    Args:
        source: Prompts, or seeds if `tasks` says how many tasks are asked for each.
        generation: Backend and price.
        tasks: Tasks a seed; None for prompts.
        first: What is asked about every prompt.
        again: What is asked about every failing program, one after the other.
    """
    works, prompts = ([], list(source)) if tasks is None else _tasks(source, generation, tasks)  # type: ignore[arg-type]
    failing = [History(row.prompt_id, "", row.prompt, row.entry_point, (), (FAILING,)) for row in prompts]
    works.append(_work("samples", prompts, first, generation, generation.sampling))
    works += [_work(ask.purpose, failing, [ask], generation, generation.sampling) for ask in again]
    rounds = sum(ask.purpose != "vote" for ask in again)
    words = f"at most: {len(prompts):,} prompts x {1 + rounds} programs, each on all tests of its prompt"
    return _report(works, len(prompts) * (1 + rounds), words, generation.price_per_million)


def _runs(prompts: int, codes: int, tests: int) -> tuple[int, str]:
    words = f"at most: {prompts:,} prompts x {tests} tests x {codes} codes and a stub"
    return prompts * tests * (codes + 1), words


def _work(
    stage: str, rows: Iterable[Any], asks: Sequence[Question], generation: Generation, sampling: Sampling
) -> Work:
    """What asking these questions about these rows takes; prompts are counted as they will be sent."""
    batched = generation.server is not None and generation.server.batch_choices
    requests = characters = completion = most = 0
    for row in rows:
        for request in requests_of(row, asks):
            times = 1 if batched else request.n
            requests += times
            characters += times * len(request.prompt)
            completion += request.n * min(EXPECTED.get(request.purpose, EXPECTED["code"]), sampling.max_tokens)
            most += request.n * sampling.max_tokens
    return Work(stage, requests, math.ceil(characters / CHARACTERS_A_TOKEN), completion, most)


def _report(works: Sequence[Work], executions: int, words: str, price: Price | None) -> str:
    """The plan for people.

    Args:
        works: One for each stage that asks.
        executions: Runs of a program on a test.
        words: How that number comes about.
        price: For the cost line.
    """
    lines = ["dry run: nothing was asked, run or written"]
    if works:
        lines.append(f"{'stage':<10}{'requests':>12}{'prompt tokens':>16}{'completion tokens':>20}{'at most':>16}")
        total = Work("total", *(sum(getattr(w, name) for w in works) for name in list(Work.__annotations__)[1:]))
        for item in [*works, total] if len(works) > 1 else works:
            lines.append(
                f"{item.stage:<10}{item.requests:>12,}{item.prompt_tokens:>16,}{item.completion_tokens:>20,}{item.most:>16,}"
            )
    else:
        lines.append("requests: 0")
    lines.append(f"executions: {executions:,} ({words})")
    if works and price is not None:
        cost, most = (_cost(total, price, tokens) for tokens in (total.completion_tokens, total.most))
        lines.append(f"cost: {cost:,.2f}, at most {most:,.2f} (at {price.prompt:g} / {price.completion:g} a million)")
    if works:
        usual = ", ".join(f"{purpose} {tokens}" for purpose, tokens in EXPECTED.items())
        lines.append(
            f"estimated: {CHARACTERS_A_TOKEN} characters a token; tokens of a usual answer: {usual}; 'at most' is "
            "max_tokens for every answer. What a gate or a parser may still leave out is counted as if it "
            "stayed; what a run's requests.sqlite already holds is counted as if it had to be asked."
        )
    return "\n".join(lines)


def _cost(total: Work, price: Price, completion_tokens: int) -> float:
    return (total.prompt_tokens * price.prompt + completion_tokens * price.completion) / 1e6
