"""A vote on the tests: one that most independent programs fail may be wrong, and a wrong test makes a task unsolvable.

Programs asked for independently of the first one run on the tests. A test that more than `share` of them fail is shown
to the model, which gives it back as it is or corrected; the corrected test takes its place if more than `share` of the
programs pass it. Where they do not, the test is left out: either it is wrong, or it is too hard for this model to be
told from a wrong one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import pyarrow as pa
from pydantic import Field

from builders.chain.ask import TEMPLATES, Count, Drawing, Generation, Inquiry, Question, ask_stage
from builders.chain.matrix import programs_in, sandbox_of
from builders.codeflow.feedback import reports
from builders.codeflow.trajectories import History, Running
from codepref import extract
from codepref.generate import Completion
from codepref.records import Exclusion, content_id, from_table, to_table
from codepref.sandbox import Job
from codepref.stages import Runner
from codepref.store import Shard, Stage


@dataclass(frozen=True)
class Repair:
    """How tests are voted on."""

    enabled: bool = False
    programs: Count = 5
    """Independent programs a prompt."""
    share: Annotated[float, Field(ge=0.5, lt=1)] = 0.5
    """A test is in dispute if more than this share of the programs fail it."""
    template: str = str(TEMPLATES / "repair.jinja")


@dataclass(frozen=True)
class Ballot:
    """Independent programs for one prompt."""

    prompt_id: str
    programs: tuple[str, ...]


@dataclass(frozen=True)
class Dispute:
    """A test that most programs fail."""

    test_id: str
    prompt_id: str
    prompt: str
    entry_point: str
    test: str
    failed: int
    programs: int
    error: str
    codes: tuple[str, ...]
    """The programs."""


@dataclass(frozen=True)
class Amendment:
    """A disputed test and what the model made of it; empty if its answer holds no test."""

    test_id: str
    prompt_id: str
    entry_point: str
    test: str
    codes: tuple[str, ...]


@dataclass(frozen=True)
class _Voting:
    rule: Repair
    running: Running


def mend_tests(
    runner: Runner, first: Stage, rule: Repair, generation: Generation, running: Running, seed: int
) -> list[Stage]:
    """Stages `ballots`, `disputes`, `amendments` and `mended`; the rows of the last are those of `first`.

    Tests fall under `amended` or `disputed`, prompts under `no tests`.
    """
    voting = _Voting(rule, running)
    drawing = Drawing(generation, generation.sampling, seed)
    vote = Question("vote", generation.code_template, rule.programs)
    ballots = ask_stage(runner, "ballots", first, Inquiry([vote], _ballot, History, Ballot), drawing)
    disputes = runner.map("disputes", disputed, voting, [first, ballots])
    repair = Question("repair", rule.template, 1)
    amendments = ask_stage(runner, "amendments", disputes, Inquiry([repair], _amended, Dispute, Amendment), drawing)
    last = runner.map("mended", settled, voting, [first, disputes, amendments])
    return [ballots, disputes, amendments, last]


def _ballot(row: History, answers: Sequence[Sequence[Completion]], _: str) -> tuple[list[Ballot], list[Exclusion]]:
    found = programs_in([(item.text, row.prompt, row.entry_point) for item in answers[0]])
    return [Ballot(row.prompt_id, tuple(item.program for item in found if isinstance(item, extract.Extracted)))], []


def disputed(config: _Voting, first: pa.Table, ballots: pa.Table) -> Shard:
    """Stage `disputes`: tests that more than the share of the programs fail; one program alone disputes nothing."""
    rows = {row.prompt_id: row for row in from_table(first, History)}
    votes = [row for row in from_table(ballots, Ballot) if len(row.programs) > 1]
    sandbox = sandbox_of(config.running.limits)
    jobs = [
        Job(vote.prompt_id, vote.programs, rows[vote.prompt_id].tests, rows[vote.prompt_id].entry_point)
        for vote in votes
    ]
    found, cases = list[Dispute](), []
    for vote, matrix in zip(votes, sandbox.run_many(jobs), strict=True):
        row = rows[vote.prompt_id]
        for number, test in enumerate(row.tests):
            cells = [line[number] for line in matrix.cells]
            failed = [place for place, cell in enumerate(cells) if cell.verdict not in ("passed", "unjudged")]
            if len(failed) > config.rule.share * len(cells):
                cases.append((vote.programs[failed[0]], (test,), [cells[failed[0]]]))
                head = (content_id(row.prompt_id, test), row.prompt_id, row.prompt, row.entry_point, test)
                found.append(Dispute(*head, len(failed), len(cells), "", vote.programs))
    said = reports(sandbox, cases, [dispute.entry_point for dispute in found], config.running.limits)
    errors = (text.rpartition("\n\n")[2] for text in said)
    told = [replace(dispute, error=error) for dispute, error in zip(found, errors, strict=True)]
    return Shard(to_table(told, Dispute))


def _amended(row: Dispute, answers: Sequence[Sequence[Completion]], _: str) -> tuple[list[Amendment], list[Exclusion]]:
    found, _rejected = extract.tests(answers[0][0].text, row.entry_point)
    whole = "\n".join(found) if row.entry_point else "".join(found[:1])
    return [Amendment(row.test_id, row.prompt_id, row.entry_point, whole, row.codes)], []


def settled(config: _Voting, first: pa.Table, disputes: pa.Table, amendments: pa.Table) -> Shard:
    """Stage `mended`: disputed tests replaced by their amendment where the programs agree with it, else left out."""
    accepted = _accepted(config, [row for row in from_table(amendments, Amendment) if row.test])
    open_ = {(row.prompt_id, row.test): row.test_id for row in from_table(disputes, Dispute)}
    rows, excluded = list[History](), list[Exclusion]()
    for row in from_table(first, History):
        tests = list[str]()
        for number, test in enumerate(row.tests):
            disputed_id = open_.get((row.prompt_id, test))
            new = test if disputed_id is None else accepted.get(disputed_id)
            if new != test:
                outcome = "amended" if new else "disputed"
                excluded.append(Exclusion("mended", row.prompt_id, "test", outcome, number, test[:80]))
            if new is not None and new not in tests:
                tests.append(new)
        if tests:
            rows.append(replace(row, tests=tuple(tests)))
        else:
            excluded.append(Exclusion("mended", row.prompt_id, "prompt", "no tests"))
    return Shard(to_table(rows, History), tuple(excluded))


def _accepted(config: _Voting, rows: Sequence[Amendment]) -> dict[str, str]:
    """Amendments that more than the share of the programs pass, by test."""
    jobs = [Job(row.test_id, row.codes, (row.test,), row.entry_point) for row in rows]
    found = dict[str, str]()
    for row, matrix in zip(rows, sandbox_of(config.running.limits).run_many(jobs), strict=True):
        passed = sum(line[0].verdict == "passed" for line in matrix.cells)
        if passed > config.rule.share * len(matrix.cells):
            found[row.test_id] = row.test
    return found
