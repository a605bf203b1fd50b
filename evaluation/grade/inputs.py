"""Grading by data: a function is called on inputs, and what it returns is compared outside its process.

Expected values are what the reference solution returns on the same inputs in the same sandbox; they are computed once
and kept by fingerprint, and that run is the reference's own grading, too. A comparison is exact, or within the
tolerance of the problem (evaluation/grade/tolerance.py). Problems that accept more than one answer carry a condition
of their own, as data.

Deviations from EvalPlus 0.3.1, all in what dishonest or borderline programs get: arguments that a program changed are
not used for judging it, an object of the program's own class equals nothing, the tolerance that one float needs is not
kept for later values, limits count CPU time instead of wall time, and both groups of inputs may run in one process,
each in a fresh module.
"""

import hashlib
import marshal
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codepref.errors import CodeprefError
from codepref.extract import shape
from codepref.files import write_whole
from codepref.sandbox import Limits, Verdict
from codepref.sandbox.calls import OPAQUE, Caller, Calls, Comparison, Returned, callers, is_digest, pack
from evaluation.benchmark import Graded, Problem, Settings, Work, digest_of
from evaluation.grade.tolerance import CLOSE, PRELUDE, near

GROUP_S = 60.0
"""CPU seconds for all calls of a group, as in EvalPlus."""
OUTPUT_BYTES = 128 << 20
FORMAT = 4
GROUPS = ("base_input", "plus_input")
Finding = tuple[Verdict, str]
"""Verdict and error of a group."""
LONG_S, FIRST = 0.05, 16
"""Where the reference takes so many CPU seconds for all added inputs, only so many of them are looked at first."""
LOOK_S, LOOK_FACTOR, LOOK_GROUP = 0.05, 4.0, 10.0
"""CPU seconds of a call in a first look, or so many times the reference's; and of a group, in such calls."""


@dataclass(frozen=True)
class Expected:
    """What the reference returned on the groups of a problem, and the CPU seconds it took."""

    values: tuple[tuple[bytes, ...], ...]
    slowest_s: float
    """Of its slowest call."""
    totals_s: tuple[float, ...] = (0.0, 0.0)
    """Of each group."""


def reference_program(problem: Problem) -> str:
    """The program that expected values come from."""
    return str(problem.row["program"])


def calling_limits(settings: Settings) -> Limits:
    """Limits of the process that calls functions."""
    return Limits(memory_mb=settings.memory_mb, output_bytes=OUTPUT_BYTES, wall_s=60.0, profile=settings.profile)


def calls_of(problem: Problem, cpu_s: float) -> Calls:
    """The calls of a problem: its original inputs, then the added ones."""
    groups = [problem.row[name] for name in GROUPS]
    packed, counts = tuple(pack(group) for group in groups), tuple(len(group) for group in groups)
    return Calls(problem.entry_point, packed, counts, cpu_s, max(GROUP_S, cpu_s))


def expected(problems: Sequence[Problem], settings: Settings) -> dict[str, Expected]:
    """Expected values by task id, from the cache where it has them.

    Raises `CodeprefError` naming the problem whose reference does not return a value on every input.
    """
    found = {p.task_id: _cached(_file(p, settings)) for p in problems}
    missing = [problem for problem in problems if found[problem.task_id] is None]

    def body(caller: Caller, problem: Problem) -> Expected:
        return _reference(caller, problem, settings)

    answers = callers(missing, body, calling_limits(settings), **_options(settings))
    found.update((problem.task_id, value) for problem, value in zip(missing, answers, strict=True))
    return {task_id: value for task_id, value in found.items() if value is not None}


def _options(settings: Settings) -> dict[str, Any]:
    return {"workers": settings.workers, "python": settings.python, "allow_unisolated": settings.allow_unisolated}


def _reference(caller: Caller, problem: Problem, settings: Settings) -> Expected:
    """Runs the reference, and keeps what it returns."""
    groups = caller.call(problem.row["program"], calls_of(problem, GROUP_S))
    for group in groups:
        if group.ended is not None:
            place = f"its reference {group.ended} on input {len(group.values)}: {group.error}"
            raise CodeprefError(f"{problem.task_id}: {place}; the data or the interpreter is not the one it needs")
    slowest = max((cost for group in groups for cost in group.cpu_s), default=0.0)
    found = Expected(tuple(group.values for group in groups), slowest, tuple(sum(group.cpu_s) for group in groups))
    _keep(_file(problem, settings), found)
    return found


def _file(problem: Problem, settings: Settings) -> Path:
    version = ".".join(map(str, sys.version_info[:2])) if settings.python is None else settings.python
    inputs = [hashlib.sha256(group).hexdigest() for group in calls_of(problem, 0.0).groups]  # tuples are no lists here
    return settings.cache / "expected" / digest_of([FORMAT, version, _oracle(problem), problem.digest, inputs])


def _cached(path: Path) -> Expected | None:
    try:
        return Expected(*marshal.loads(zlib.decompress(path.read_bytes())))
    except (OSError, zlib.error, ValueError, EOFError, TypeError):
        return None


def _keep(path: Path, value: Expected) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, zlib.compress(marshal.dumps((value.values, value.slowest_s, value.totals_s), 2), 1))


def _oracle(problem: Problem) -> tuple[str, str]:
    """Statements and condition that say when a value is right."""
    condition = problem.row.get("condition") or CLOSE.format(atol=problem.row["atol"])
    return (PRELUDE if "close(" in condition else "", condition)


def grade_inputs(work: Work, settings: Settings) -> Iterator[list[Graded]]:
    """Verdicts on programs, problem by problem, in order.

    Raises `CodeprefError` like `expected`.
    """

    def body(caller: Caller, item: tuple[Problem, Sequence[str]]) -> list[Graded]:
        problem, programs = item
        right = _cached(_file(problem, settings)) or _reference(caller, problem, settings)
        return list(_grade(caller, problem, programs, right, settings))

    yield from callers(work, body, calling_limits(settings), **_options(settings))


def _grade(
    caller: Caller, problem: Problem, programs: Sequence[str], right: Expected, settings: Settings
) -> Iterator[Graded]:
    """Programs that differ in layout and comments alone are run once, and the reference not again."""
    shapes = [shape(program) for program in programs] if len(programs) > 1 else list(programs)
    calls = calls_of(problem, max(settings.cpu_s, settings.factor * right.slowest_s))
    known: dict[str, Graded] = {}
    for key, program in zip(shapes, programs, strict=True):
        if key not in known:
            judges = [_Judge(caller, problem, program, calls, right, place) for place in (0, 1)]
            if program == problem.row["program"]:
                pairs = zip(right.values, right.totals_s, strict=True)
                groups = [Returned(values, (total_s,)) for values, total_s in pairs]
                found = [judge.verdict(group) for judge, group in zip(judges, groups, strict=True)]
            else:
                found, groups = _run(caller, problem, program, calls, judges)
            known[key] = _graded(problem, found, sum(sum(group.cpu_s) for group in groups))
        yield known[key]


def _run(
    caller: Caller, problem: Problem, program: str, calls: Calls, judges: Sequence["_Judge"]
) -> tuple[list[Finding], list[Returned]]:
    """What a program returns, and the verdict on it, group by group; of the original inputs alone where those decide.

    A cheap look comes first, with the first added inputs only where all calls take long: most programs are done with
    it, and one that is wrong early is not run on. What it leaves open is run again with the full limits, the first
    added inputs alone before all of them. Added inputs that the look leaves open stay so where the original ones have
    failed: no score depends on them then, and a call that does not end would cost its whole limit.
    """
    right = judges[0].right
    first, look_s = calls, min(calls.cpu_s, max(LOOK_S, LOOK_FACTOR * right.slowest_s))
    if right.totals_s[1] >= LONG_S:
        head = problem.row["plus_input"][:FIRST]
        first, look_s = (
            replace(calls, groups=(calls.groups[0], pack(head)), counts=(calls.counts[0], len(head))),
            LOOK_S,
        )
    groups = caller.look(program, replace(first, cpu_s=look_s, group_s=LOOK_GROUP * look_s))
    found = [judge.verdict(group) for judge, group in zip(judges, groups, strict=True)]
    for place, judge in enumerate(judges):
        for part in (first, calls):
            if not _is_open(found[place], groups[place], part.counts[place]):
                continue
            if found[0][0] not in ("passed", "unjudged"):
                return found[:1], groups
            (groups[place],) = caller.call(program, only(part, place))
            found[place] = judge.verdict(groups[place])
    return found, groups


def _is_open(found: Finding, group: Returned, count: int) -> bool:
    """Whether nothing is decided on these inputs: the run stopped early, or saw only the first of them."""
    return found[0] == "unjudged" or (found[0] == "passed" and len(group.values) < count)


def only(calls: Calls, place: int) -> Calls:
    """The calls of one group."""
    return replace(calls, groups=(calls.groups[place],), counts=(calls.counts[place],))


def _wrong(index: int) -> Finding:
    return "failed", f"AssertionError: wrong value for input {index}"


def _graded(problem: Problem, found: Sequence[Finding], cpu_s: float) -> Graded:
    """`found`: on the original inputs, and on the added ones where they were decided."""
    base = found[0][0] if problem.row["base_input"] else None
    plus = found[1][0] if len(found) > 1 else None
    verdict, error = next((finding for finding in found if finding[0] != "passed"), found[-1])
    return Graded(verdict, "plain", base, plus, error, cpu_s)


@dataclass(frozen=True)
class _Judge:
    """Compares what one program returned on one group with what is right."""

    caller: Caller
    problem: Problem
    program: str
    calls: Calls
    right: Expected
    place: int

    def verdict(self, group: Returned) -> Finding:
        """The first trouble in the order of the inputs decides."""
        values = self.right.values[self.place]
        condition = self.problem.row.get("condition")
        pairs = zip(group.values, values, strict=False)
        doubtful = [i for i, (out, exp) in enumerate(pairs) if condition or out != exp or exp == OPAQUE]
        asked = []
        for index in doubtful:
            holds = None if condition else near(group.values[index], values[index], self.problem.row["atol"])
            if holds is None:
                asked.append(index)
            elif not holds:
                return _wrong(index)
        large = [i for i in asked if is_digest(group.values[i]) or is_digest(values[i])]
        small = [i for i in asked if i not in large] if large else asked
        for batch, whole in ((small[:1], False), (small[1:], False), (large, True)):
            for index, holds in zip(batch, self._holds(group, batch, whole), strict=True):
                if not holds:
                    return _wrong(index)
        return (group.ended, group.error) if group.ended is not None else ("passed", "")

    def _holds(self, group: Returned, batch: Sequence[int], whole: bool) -> list[bool]:
        if not batch:
            return []
        out, exp = group.values, self.right.values[self.place]
        if whole:
            out, exp = (self._whole(program) for program in (self.program, self.problem.row["program"]))
        inputs = self.problem.row[GROUPS[self.place]]
        prelude, condition = _oracle(self.problem)
        empty = pack(None)
        return self.caller.compare(
            [
                Comparison(prelude, condition, (out[i], exp[i], pack(inputs[i]) if "_v(2)" in condition else empty))
                if i < min(len(out), len(exp))
                else Comparison("", "False", ())
                for i in batch
            ]
        )

    def _whole(self, program: str) -> tuple[bytes, ...]:
        """The values of a program without digests."""
        return self.caller.call(program, only(self.calls, self.place), whole=True)[0].values
