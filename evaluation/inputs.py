"""Grading by data: a function is called on inputs, and what it returns is compared outside its process.

Expected values are what the reference solution returns on the same inputs in the same sandbox; they are computed once
and kept by fingerprint. A comparison is exact, or within the tolerance of the problem (EvalPlus' rule: numpy's
allclose with a relative tolerance of 1e-7, and 1e-6 for floats where the problem names none). Problems that accept
more than one answer carry a condition of their own, as data.

Deviations from EvalPlus 0.3.1, all in what dishonest or borderline programs get: arguments that a program changed are
not used for judging it, an object of the program's own class equals nothing, the tolerance that one float needs is not
kept for later values, and limits count CPU time instead of wall time.
"""

import marshal
import os
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codepref.errors import CodeprefError
from codepref.sandbox import Limits, Verdict
from codepref.sandbox.calls import OPAQUE, Caller, Calls, Comparison, Returned, callers, is_digest, pack
from evaluation.benchmark import Graded, Problem, Settings, Work, fingerprint

GROUP_S = 60.0
"""CPU seconds for all calls of a group, as in EvalPlus."""
OUTPUT_BYTES = 128 << 20
FORMAT = 3
GROUPS = ("base_input", "plus_input")
LONG_S, FIRST = 0.05, 16
PRELUDE = """
import numpy as np

def is_floats(value):
    if isinstance(value, (list, tuple)) and value:
        return all(isinstance(item, float) for item in value)
    return isinstance(value, float) or (isinstance(value, np.ndarray) and value.dtype.kind == "f")

def close(out, exp, atol):
    if out is ... or exp is ...:
        return False
    if out == exp:
        return True
    atol = 1e-6 if atol == 0 and is_floats(exp) else atol
    if atol == 0 or type(out) != type(exp) or (isinstance(exp, (list, tuple)) and len(out) != len(exp)):
        return False
    return bool(np.allclose(out, exp, rtol=1e-07, atol=atol))
"""
CLOSE = "close(_v(0), _v(1), {atol!r})"


@dataclass(frozen=True)
class Expected:
    """What the reference returned on the groups of a problem, and the CPU seconds of its slowest call."""

    values: tuple[tuple[bytes, ...], ...]
    slowest_s: float
    total_s: float = 0.0
    """Of all added inputs together."""


def limits(settings: Settings) -> Limits:
    """Limits of the process that calls functions."""
    return Limits(memory_mb=settings.memory_mb, output_bytes=OUTPUT_BYTES, wall_s=60.0)


def calls_of(problem: Problem, cpu_s: float) -> Calls:
    """The calls of a problem: its original inputs, then the added ones."""
    groups = [problem.row[name] for name in GROUPS]
    packed, counts = tuple(pack(group) for group in groups), tuple(len(group) for group in groups)
    return Calls(problem.entry_point, packed, counts, cpu_s, max(GROUP_S, cpu_s))


def expected(problems: Sequence[Problem], settings: Settings) -> dict[str, Expected]:
    """Expected values by task id, from the cache where it has them.

    Raises `CodeprefError` naming the problem whose reference does not return a value on every input.
    """
    version = ".".join(map(str, sys.version_info[:2])) if settings.python is None else settings.python
    digest = {
        p.task_id: fingerprint([FORMAT, version, _oracle(p), p.reference, p.prompt, repr(p.row)]) for p in problems
    }
    found = {p.task_id: _cached(_file(settings.cache, digest[p.task_id])) for p in problems}
    missing = [problem for problem in problems if found[problem.task_id] is None]
    answers = callers(missing, _reference, limits(settings), **_options(settings))
    for problem, values in zip(missing, answers, strict=True):
        found[problem.task_id] = values
        _keep(_file(settings.cache, digest[problem.task_id]), values)
    return {task_id: value for task_id, value in found.items() if value is not None}


def _options(settings: Settings) -> dict[str, Any]:
    return {"workers": settings.workers, "python": settings.python, "allow_unisolated": settings.allow_unisolated}


def _reference(caller: Caller, problem: Problem) -> Expected:
    groups = caller.call(problem.row["program"], calls_of(problem, GROUP_S))
    for group in groups:
        if group.ended is not None:
            place = f"its reference {group.ended} on input {len(group.values)}: {group.error}"
            raise CodeprefError(f"{problem.task_id}: {place}; the data or the interpreter is not the one it needs")
    slowest = max((cost for group in groups for cost in group.cpu_s), default=0.0)
    return Expected(tuple(group.values for group in groups), slowest, sum(groups[1].cpu_s))


def _file(cache: Path, digest: str) -> Path:
    return cache / "expected" / digest


def _cached(path: Path) -> Expected | None:
    try:
        return Expected(*marshal.loads(zlib.decompress(path.read_bytes())))
    except (OSError, zlib.error, ValueError, EOFError, TypeError):
        return None


def _keep(path: Path, value: Expected) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(zlib.compress(marshal.dumps((value.values, value.slowest_s, value.total_s), 2), 1))
    part.replace(path)


def _oracle(problem: Problem) -> tuple[str, str]:
    """Statements and condition that say when a value is right."""
    condition = problem.row.get("condition")
    return (PRELUDE, condition or CLOSE.format(atol=problem.row["atol"]))


def grade(work: Work, settings: Settings) -> Iterator[list[Graded]]:
    """Verdicts on programs, problem by problem, in order."""
    todo = list(work)
    known = expected([problem for problem, _ in todo], settings)

    def body(caller: Caller, item: tuple[Problem, Sequence[str]]) -> list[Graded]:
        problem, programs = item
        return list(_grade(caller, problem, programs, known[problem.task_id], settings))

    yield from callers(todo, body, limits(settings), **_options(settings))


def _grade(
    caller: Caller, problem: Problem, programs: Sequence[str], right: Expected, settings: Settings
) -> Iterator[Graded]:
    calls = calls_of(problem, max(settings.cpu_s, settings.factor * right.slowest_s))
    known: dict[str, Graded] = {}
    for program in programs:
        if program not in known:
            groups = _run(caller, problem, program, calls, right)
            found = [_Judge(caller, problem, program, calls, right, place).verdict(groups[place]) for place in (0, 1)]
            known[program] = _graded(problem, found, sum(sum(group.cpu_s) for group in groups))
        yield known[program]


def _run(caller: Caller, problem: Problem, program: str, calls: Calls, right: Expected) -> list[Returned]:
    """What a program returns. Where all calls take long, a program that is wrong on the first ones is not run on."""
    if right.total_s < LONG_S:
        return caller.call(program, calls)
    first = problem.row["plus_input"][:FIRST]
    some = replace(calls, groups=(calls.groups[0], pack(first)), counts=(calls.counts[0], len(first)))
    base, plus = caller.call(program, some)
    if plus.ended is None and _Judge(caller, problem, program, some, right, 1).verdict(plus)[0] == "passed":
        (plus,) = caller.call(program, replace(calls, groups=calls.groups[1:], counts=calls.counts[1:]))
    return [base, plus]


def _graded(problem: Problem, found: Sequence[tuple[Verdict, str]], cpu_s: float) -> Graded:
    (base, base_error), (plus, plus_error) = found
    verdict = base if base != "passed" else plus
    known = len(problem.row["base_input"]) > 0
    return Graded(verdict, "plain", base if known else None, plus, base_error or plus_error, cpu_s)


@dataclass(frozen=True)
class _Judge:
    """Compares what one program returned on one group with what is right."""

    caller: Caller
    problem: Problem
    program: str
    calls: Calls
    right: Expected
    place: int

    def verdict(self, group: Returned) -> tuple[Verdict, str]:
        """The first trouble in the order of the inputs decides."""
        values = self.right.values[self.place]
        always = self.problem.row.get("condition") is not None
        pairs = enumerate(zip(group.values, values, strict=False))
        doubtful = [i for i, (out, exp) in pairs if always or out != exp or exp == OPAQUE]
        large = [i for i in doubtful if is_digest(group.values[i]) or is_digest(values[i])]
        small = [i for i in doubtful if i not in large] if large else doubtful
        for batch, whole in ((small[:1], False), (small[1:], False), (large, True)):
            for index, holds in zip(batch, self._holds(group, batch, whole), strict=True):
                if not holds:
                    return "failed", f"AssertionError: wrong value for input {index}"
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
        calls = replace(self.calls, groups=(self.calls.groups[self.place],), counts=(self.calls.counts[self.place],))
        return self.caller.call(program, calls, whole=True)[0].values
