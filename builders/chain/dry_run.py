"""What a build will cost, before anything is asked or run."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from builders.chain import seeds
from builders.chain.ask import Generation, Question, requests_of, sample_questions
from codepref.generate import Price, Sampling
from codepref.records import Candidates, Samples

CHARACTERS_A_TOKEN = 4
EXPECTED = {"concepts": 60, "task": 200, "code": 250, "test": 200}
"""Assumed tokens of a usual answer, on the generous side; recorded answers with tests by gpt-3.5-turbo to HumanEval
prompts have 393 characters on average."""
CONCEPTS = ("a concept in a handful of words",) * 5
TASK = "x" * 800
STAND_IN = Samples("", TASK, "name", (), ())
"""Stand-ins for what only the model can say: five concepts a seed, a task of 200 tokens."""


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


@dataclass(frozen=True)
class BuildPlan:
    """What a build would ask and run. `str()` gives it in words for people."""

    prompts: int
    """Prompts that get that far: what gates leave out of the input is not among them."""
    samples: float
    """Codes and answers with tests of a prompt, on average."""
    executions: int
    """Runs of a program, on a test or (`tests`) on all tests of its prompt."""
    words: str
    """How that number comes about."""
    works: tuple[Work, ...] = ()
    price: Price | None = None
    tests: float | None = None
    """Tests of a prompt, where `executions` are runs on all of them."""
    more: int = 0
    """Further executions, at most."""
    remarks: tuple[str, ...] = ()
    """What else is to be said, a line each."""
    rounds: int = 1
    """How often all of it is done."""

    def __str__(self) -> str:
        return "\n".join([_report(self), *self.remarks])

    @property
    def cells(self) -> float:
        """Runs of a program on a test."""
        return self.executions * (self.tests or 1.0) + self.more


@dataclass(frozen=True)
class Sizes:
    """What is asked about a prompt, and how much of it is kept at most."""

    codes: int
    answers: int
    """Answers with tests; each may hold several."""
    tests: int


@dataclass(frozen=True)
class Asking:
    """What one stage asks about each row."""

    stage: str
    questions: Sequence[Question]
    sampling: Sampling
    about: Callable[[Any], Any] = lambda row: row
    """What the templates know, made of the row."""


def plan_recorded(rows: Iterable[Candidates]) -> BuildPlan:
    """The plan for recorded samples whose candidates are known."""
    prompts = runs = samples = examples = 0
    for row in rows:
        prompts += 1
        samples += len(row.codes) + len(row.tests)
        examples += len(row.examples)
        runs += (len(row.codes) + 1) * len(row.tests) + len(row.codes) * len(row.examples)
    words = f"{prompts:,} prompts, their codes and a stub on their tests"
    return BuildPlan(prompts, samples / max(prompts, 1), runs, words + _besides(examples))


def plan_prompts(rows: Iterable[Any], generation: Generation, sizes: Sizes, examples: int = 0) -> BuildPlan:
    """The plan for prompts that are to be asked, which have so many examples together."""
    prompts, works = count_work(rows, [_sampling(generation, sizes)], generation)
    return _plan(prompts, sizes, works, generation, examples)


def plan_seeds(rows: Iterable[seeds.Seed], generation: Generation, tasks: int, sizes: Sizes) -> BuildPlan:
    """The plan for seeds: as if every answer kept its format and no gate left anything out."""
    prompts, works = task_work(rows, generation, tasks)
    works += count_work([STAND_IN], [_sampling(generation, sizes)], generation, prompts)[1]
    return _plan(prompts, sizes, works, generation)


def _sampling(generation: Generation, sizes: Sizes) -> Asking:
    return Asking("samples", sample_questions(generation, sizes.codes, sizes.answers), generation.sampling)


def _plan(prompts: int, sizes: Sizes, works: Sequence[Work], generation: Generation, examples: int = 0) -> BuildPlan:
    samples = sizes.codes + sizes.answers
    runs, words = _runs(prompts, sizes.codes, sizes.tests)
    runs += examples * sizes.codes
    return BuildPlan(prompts, samples, runs, words + _besides(examples), tuple(works), generation.price_per_million)


def _besides(examples: int) -> str:
    """That codes run on the prompts' examples, too, in words."""
    return f"; the codes on the prompts' examples ({examples:,})" if examples else ""


def task_work(rows: Iterable[seeds.Seed], generation: Generation, tasks: int) -> tuple[int, list[Work]]:
    """How many prompts are made of seeds, and the work that makes them."""
    concept, task = seeds.task_questions(generation, tasks)

    def full(row: seeds.Seed) -> seeds.Concepts:
        return seeds.Concepts(**asdict(row), concepts=CONCEPTS)

    sampling = generation.task_sampling
    asks = [Asking("concepts", [concept], sampling), Asking("tasks", [task], sampling, full)]
    count, works = count_work(rows, asks, generation)
    return count * tasks, works


def _runs(prompts: int, codes: int, tests: int) -> tuple[int, str]:
    words = f"at most: {prompts:,} prompts x {tests} tests x {codes} codes and a stub"
    return prompts * tests * (codes + 1), words


def count_work(
    rows: Iterable[Any], asks: Sequence[Asking], generation: Generation, times: int = 1
) -> tuple[int, list[Work]]:
    """How many rows there are, and what asking about them takes; prompts are counted as they will be sent.

    Args:
        rows: Read once, one after the other.
        asks: What is asked about each.
        generation: Backend.
        times: How often each row stands there.
    """
    batched = generation.server is not None and generation.server.batch_choices
    count, tallies = 0, [Counter[str]() for _ in asks]
    for row in rows:
        count += 1
        for ask, tally in zip(asks, tallies, strict=True):
            for request in requests_of(ask.about(row), ask.questions):
                sent = times if batched else times * request.n
                tally["requests"] += sent
                tally["characters"] += sent * len(request.prompt)
                usual = min(EXPECTED.get(request.purpose, EXPECTED["code"]), ask.sampling.max_tokens)
                tally["completion"] += times * request.n * usual
                tally["most"] += times * request.n * ask.sampling.max_tokens
    return count * times, [
        Work(
            ask.stage,
            tally["requests"],
            math.ceil(tally["characters"] / CHARACTERS_A_TOKEN),
            tally["completion"],
            tally["most"],
        )
        for ask, tally in zip(asks, tallies, strict=True)
    ]


def _report(plan: BuildPlan) -> str:
    lines = ["dry run: nothing was asked, run or written"]
    works, price = plan.works, plan.price
    if works:
        lines.append(f"{'stage':<10}{'requests':>12}{'prompt tokens':>16}{'completion tokens':>20}{'at most':>16}")
        for item in [*works, total(works)] if len(works) > 1 else works:
            lines.append(
                f"{item.stage:<10}{item.requests:>12,}{item.prompt_tokens:>16,}{item.completion_tokens:>20,}{item.most:>16,}"
            )
    else:
        lines.append("requests: 0")
    lines.append(f"executions: {plan.executions:,} ({plan.words})")
    if works and price is not None:
        whole = total(works)
        usual, most = (cost(whole, price, tokens) for tokens in (whole.completion_tokens, whole.most))
        lines.append(f"cost: {usual:,.2f}, at most {most:,.2f} (at {price.prompt:g} / {price.completion:g} a million)")
    if works:
        lines.append(
            f"estimated: {assumed()}; 'at most' is "
            "max_tokens for every answer. What a gate or a parser may still leave out is counted as if it "
            "stayed; what a run's requests.sqlite already holds is counted as if it had to be asked."
        )
    return "\n".join(lines)


def assumed() -> str:
    """What tokens are counted by, in words."""
    usual = ", ".join(f"{purpose} {tokens}" for purpose, tokens in EXPECTED.items())
    return f"{CHARACTERS_A_TOKEN} characters a token; tokens of a usual answer: {usual}"


def total(works: Sequence[Work]) -> Work:
    """All work together."""
    return Work(
        "total",
        sum(work.requests for work in works),
        sum(work.prompt_tokens for work in works),
        sum(work.completion_tokens for work in works),
        sum(work.most for work in works),
    )


def cost(work: Work, price: Price, completion_tokens: int) -> float:
    """Money for all prompt tokens of some work and this many completion tokens."""
    return (work.prompt_tokens * price.prompt + completion_tokens * price.completion) / 1e6
