"""The live loop: a model writes a program and tests, the program runs, the model is told what fails and repairs it.

One stage for each step of each round, so that a killed run goes on in the round it was in; every request goes through
the request cache and has a seed of its own (its purpose names the round).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from builders.chain.ask import TEMPLATES, Drawing, Generation, Inquiry, Question, ask_stage, sample_questions
from builders.codeflow.trajectories import (
    History,
    Running,
    Version,
    history,
    joined,
    keep_informative,
    tests_in,
    verify_versions,
    version,
)
from codepref.generate import Completion
from codepref.records import Exclusion, Sample, Samples, from_table, to_table
from codepref.stages import Runner
from codepref.store import Shard, Stage

REFINE = str(TEMPLATES / "refine.jinja")


@dataclass(frozen=True)
class Loop:
    """How trajectories are made."""

    tests: int
    """Answers with tests that are asked for each prompt, besides the tests it brings."""
    rounds: int
    """Repairs at most."""
    refine_template: str = REFINE


def first_questions(loop: Loop, generation: Generation) -> list[Question]:
    """What is asked before the first run: a program, and tests in a request of their own."""
    code, test = sample_questions(generation, 1, loop.tests)
    return [code, test] if loop.tests else [code]


def refinement(loop: Loop, number: int) -> Question:
    """What is asked in a round, from 1."""
    return Question(f"refine{number}", loop.refine_template, 1)


def start_debugging(
    runner: Runner, prompts: Stage, loop: Loop, generation: Generation, running: Running, seed: int
) -> list[Stage]:
    """Stages up to first versions with the tests they are going to be run on."""
    inquiry = Inquiry(first_questions(loop, generation), _begun, Samples, History)
    first = ask_stage(runner, "samples", prompts, inquiry, Drawing(generation, generation.sampling, seed))
    return [first, runner.map("informative_tests", keep_informative, running, [first])]


def _begun(row: Samples, answers: Sequence[Sequence[Completion]], name: str) -> tuple[list[History], list[Exclusion]]:
    asked_tests = tuple(Sample(item.text, item.seed) for answer in answers[1:] for item in answer)
    whole = replace(row, tests=(*row.tests, *asked_tests), generator=name)
    tests, excluded = tests_in(whole, "samples")
    first = _counted(whole, answers[0][0], 0)
    return ([history(whole, tests, (first,))] if tests else []), excluded


def _counted(row: Samples | History, answer: Completion, number: int) -> Version:
    """The version in an answer, with the tokens it took."""
    found = version(row, Sample(answer.text, answer.seed), number)
    return replace(found, prompt_tokens=answer.prompt_tokens, completion_tokens=answer.completion_tokens)


def debug_rounds(
    runner: Runner, first: Stage, loop: Loop, generation: Generation, running: Running, seed: int
) -> list[Stage]:
    """Stages `run0`, then `open1`, `refine1`, `run1`, `open2` ... as long as something fails, and `histories`.

    Args:
        runner: Where the stages go.
        first: First versions, not run yet; one trajectory a prompt.
        loop: How often.
        generation: The model that repairs.
        running: How versions are run.
        seed: Run seed.
    """
    ran = [runner.map("run0", verify_versions, running, [first])]
    chain = [*ran]
    drawing = Drawing(generation, generation.sampling, seed)
    for number in range(1, loop.rounds + 1):
        left = runner.map(f"open{number}", unsolved, None, [ran[-1]], here=True)
        chain.append(left)
        if not any(left.rows(index) for index in range(len(left.shards()))):
            break
        inquiry = Inquiry([refinement(loop, number)], _repaired, History, History)
        again = ask_stage(runner, f"refine{number}", left, inquiry, drawing)
        ran.append(runner.map(f"run{number}", verify_versions, running, [again]))
        chain += [again, ran[-1]]
    return [*chain, runner.map("histories", joined, None, ran, here=True)]


def unsolved(_: None, table: pa.Table) -> Shard:
    """Stages `open...`: trajectories whose last version fails."""
    return Shard(to_table((row for row in from_table(table, History) if row.state == "failed"), History))


def _repaired(row: History, answers: Sequence[Sequence[Completion]], _: str) -> tuple[list[History], list[Exclusion]]:
    found = _counted(row, answers[0][0], len(row.versions))
    return [replace(row, versions=(*row.versions, found))], []
