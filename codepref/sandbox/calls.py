"""A function of a program called on many inputs, and its values compared with expected ones.

For benchmarks whose tests are data: hundreds of inputs a problem would be slow as text. The candidate's process is
given inputs and returns plain data; it never holds an expected value. Values that are byte for byte the expected ones
are right; all others are compared in the referee's process, which never ran a candidate.
"""

import marshal
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from codepref.sandbox import worker
from codepref.sandbox.base import Limits, Verdict
from codepref.sandbox.judges import referee_for
from codepref.sandbox.plan import TRUE
from codepref.sandbox.process import Answer, Setup, Unit, WorkerProcess
from codepref.sandbox.seccomp import lonely_filter
from codepref.sandbox.supervisor import _HERE, HEAVY, Sandbox
from codepref.sandbox.trial import FULL_BYTES, GRACE_S, NOT_STARTED, WHY, Ended, ended, exit_words, imported, records

OPAQUE = marshal.dumps(..., 2)
"""Stands for a returned object that is not plain data, which equals nothing."""
JUDGE_CPU_S = 20.0
WALL_FACTOR = 20
"""Wall seconds a call gets for each CPU second it is allowed: busy machines are no reason for a time-out."""
_WORKER = (
    f"import sys; sys.path.insert(0, {str(_HERE)!r}); from worker import calls, serve; serve.main(calls.candidates)"
)
_ENDS: dict[int, tuple[Verdict, str]] = {
    worker.NO_MEMORY: ("memory", "MemoryError"),
    worker.TOO_LARGE: ("output", "more output than the limit allows"),
}
_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True)
class Calls:
    """The same function called on groups of inputs. A group is run in one process, up to the first trouble."""

    entry_point: str
    groups: tuple[bytes, ...]
    """Each a marshalled list of argument lists, see `pack`."""
    counts: tuple[int, ...]
    """Number of inputs of each group."""
    cpu_s: float
    """CPU seconds for one call."""
    group_s: float
    """CPU seconds for a group."""


@dataclass(frozen=True)
class Returned:
    """What came back from one group: a value a call, as many as were finished, and why it stopped early."""

    values: tuple[bytes, ...]
    cpu_s: tuple[float, ...]
    """CPU seconds of each finished call."""
    ended: Verdict | None = None
    """None when every call returned a value; `unjudged` after a first look that stopped early."""
    error: str = ""


@dataclass(frozen=True)
class Comparison:
    """A condition on one returned value, evaluated by the referee, where `_v(0)` is what was returned, `_v(1)` what is
    expected, and `_v(2)` the list of arguments; `prelude` are statements before it."""

    prelude: str
    condition: str
    values: tuple[bytes, ...]


def is_digest(value: bytes) -> bool:
    """True if this only stands for a large value."""
    return value.startswith(b"#")


def pack(value: Any) -> bytes:
    """Plain data in the form in which values travel and are compared; raises ValueError for anything else."""
    return marshal.dumps(value, 2)


class Caller(Sandbox):
    """A sandbox whose candidates are functions to be called. Same options and isolation as `Sandbox`."""

    _needs_referee = False

    def _start(self, preload: tuple[str, ...]) -> WorkerProcess:
        library = self._profile == "library"
        return WorkerProcess(Setup(("-c", _WORKER), self._python, self._limits, library, preload, self._unisolated))

    def call(self, source: str, calls: Calls, *, whole: bool = False) -> list[Returned]:
        """One answer a group. Of a large value only a digest comes back, unless the `whole` is asked for.

        Nothing a candidate does makes it raise.
        """
        wall_s = max(self._limits.wall_s, WALL_FACTOR * calls.cpu_s)
        patience = max(wall_s, WALL_FACTOR * calls.group_s) + GRACE_S
        limits = calls.group_s + GRACE_S, patience, 2 + len(calls.groups)
        return _read(self._ask(source, calls, (wall_s, whole, None), limits), calls)

    def look(self, source: str, calls: Calls) -> list[Returned]:
        """Like `call` at a third of its cost: all groups in one process, which may have no children.

        A group that uses up its limits, or ends its process, is `unjudged`: only a `call` tells what is the matter.
        In the library profile, where children are allowed, it is a `call`.
        """
        if self._profile == "library":
            return self.call(source, calls)
        wall_s = WALL_FACTOR * calls.cpu_s
        limits = calls.cpu_s, wall_s, 2 + len(calls.groups) + sum(calls.counts)
        found = _read(self._ask(source, calls, (wall_s, False, lonely_filter(False)), limits), calls)
        return [
            group if group.ended in (None, "failed") else replace(group, ended="unjudged", error="stopped early")
            for group in found
        ]

    def _ask(
        self, source: str, calls: Calls, how: tuple[float, bool, bytes | None], limits: tuple[float, float, int]
    ) -> Answer:
        """`how`: wall seconds a call, whole values, filter of a look. `limits`: CPU and wall seconds, records."""
        groups = list(zip(calls.groups, calls.counts, strict=True))
        wall_s, whole, lonely = how
        parts = source, calls.entry_point, calls.cpu_s, wall_s, calls.group_s, groups, whole, lonely
        unit = Unit(marshal.dumps(parts, 2), self._limits.load_s, *limits)
        heavy = "import" in source and not imported(source).isdisjoint(HEAVY)
        (answer,) = (self._heavy_worker([source]) if heavy else self._worker).ask([unit])
        return answer

    def compare(self, comparisons: Sequence[Comparison]) -> list[bool]:
        """Whether each condition holds. One that raises, or does not end within its limits, does not hold."""
        found = [False] * len(comparisons)
        kinds = [referee_for(item.prelude, item.values) for item in comparisons]
        for referee in set(kinds):
            places = [place for place, kind in enumerate(kinds) if kind == referee]
            items = [(comparisons[i].prelude, comparisons[i].condition, list(comparisons[i].values)) for i in places]
            answers = self._judges.ask("judge", items, JUDGE_CPU_S, referee)
            for i, answer in zip(places, answers, strict=True):
                found[i] = answer is not None and answer[0] == TRUE
        return found


def _read(answer: Answer, calls: Calls) -> list[Returned]:
    """Sorts the records of one program by group. What a candidate scribbled there can only be a wrong value."""
    found = [_Group(count) for count in calls.counts]
    for record in records(answer.records):
        number, _, _, status, _, data = record
        if status == worker.UNCOMPILED:
            return [Returned((), (), "failed", "SyntaxError: the code does not compile") for _ in found]
        if number >= len(found):
            continue
        if status == worker.CELL:
            found[number].read(number, ended(data), calls.group_s)
        else:
            found[number].add(record)
    return [group.returned(answer) for group in found]


class _Group:
    """What came back from one group so far."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.values: list[bytes] = []
        self.cpu_s: list[float] = []
        self.end: tuple[Verdict, str] | None = None
        self.killed = False

    def add(self, record: tuple[int, int, int, int, float, bytes]) -> None:
        """One record, which the candidate may have made up: it can only be a wrong value, or the end."""
        _, index, _, status, used_s, data = record
        if self.end is not None:
            return
        if status in (worker.VALUE, worker.OPAQUE):
            if index == len(self.values) < self.count:
                self.values.append(data if status == worker.VALUE else OPAQUE)
                self.cpu_s.append(used_s)
        elif status == worker.RAISED:
            self.end = "failed", data.decode(errors="replace").removesuffix(": ")
        elif status in _ENDS:
            self.end = _ENDS[status]

    def read(self, number: int, process: Ended, group_s: float) -> None:
        """All records of the group's own process. Its times are believed as far as the one measured outside goes."""
        for record in records(process.records):
            if record[0] == number:
                self.add(record)
        claimed_s = sum(self.cpu_s)
        if claimed_s > 0.0:
            self.cpu_s = [used_s * process.cost(claimed_s) / claimed_s for used_s in self.cpu_s]
        else:
            self.cpu_s = [process.least_s / len(self.cpu_s) for _ in self.cpu_s]
        self.killed = process.why != worker.ENDED
        if self.end is None or self.killed:
            self.end = _ending(process, group_s)

    def returned(self, answer: Answer) -> Returned:
        """The same for the caller."""
        if len(self.values) == self.count and not self.killed:
            return Returned(tuple(self.values), tuple(self.cpu_s))
        return Returned(tuple(self.values), tuple(self.cpu_s), *(self.end or _end(answer)))


def _end(answer: Answer) -> tuple[Verdict, str]:
    """Why a group did not come to its end, from the process that was to run all of them."""
    if answer.lost:
        return "unjudged", "the worker was lost three times"
    if answer.why != worker.ENDED:
        return "timeout", WHY.get(answer.why, "limit")
    if len(answer.records) > FULL_BYTES:
        return "output", "more output than the limit allows"
    return "crashed", exit_words(answer.status)


def _ending(process: Ended, group_s: float) -> tuple[Verdict, str]:
    """Why a group did not come to its end, from its own process."""
    if process.why == worker.NOT_STARTED:
        return "unjudged", NOT_STARTED
    if process.why == worker.OUTPUT_LIMIT or process.status == worker.OUT_OF_ROOM << 8:
        return "output", "more output than the limit allows"
    if process.why != worker.ENDED:
        return "timeout", WHY.get(process.why, "limit")
    if process.status in (signal.SIGKILL, signal.SIGXCPU) and process.cpu_s >= group_s:
        return "timeout", "CPU limit of all calls together"
    return "crashed", exit_words(process.status)


def callers(
    work: Iterable[_T], body: Callable[[Caller, _T], _R], limits: Limits, *, workers: int = 1, **options: Any
) -> Iterator[_R]:
    """`body` of every item of `work`, in order, with `workers` callers at work at once.

    Each caller is used by one thread, and started when there is an item for it. Items are taken as they are needed.
    Raises `SandboxUnavailable` as `Sandbox`.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")
    members: list[Caller] = []
    free: list[Caller] = []

    def take() -> Caller:
        try:
            return free.pop()
        except IndexError:
            members.append(Caller(limits, **options))
            return members[-1]

    def run(item: _T) -> _R:
        member = take()
        try:
            return body(member, item)
        finally:
            free.append(member)

    pending: list[Any] = []
    pool = ThreadPoolExecutor(workers)
    try:
        for item in work:
            pending.append(pool.submit(run, item))
            if len(pending) > 2 * workers:
                yield pending.pop(0).result()
        while pending:
            yield pending.pop(0).result()
    finally:
        pool.shutdown(cancel_futures=True)
        for member in members:
            member.close()
