"""What a code costs: CPU seconds that repeat, and how far equal codes differ.

One run is one fresh execution of the module and one call on every input, so that a cache filled by one run does not
serve the next. A batch is as many runs as take some milliseconds. Batches of the compared codes alternate, every code
is measured twice a round, and the lowest batch counts: whatever else happens on the machine only ever adds to CPU
time. The two measurements of one code are the identical-code control that says what a difference is worth.

Of programs that read standard input one run is a process for every input, and its CPU time is the process', start
included: so it is on the sites that such tasks come from.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from codepref.sandbox import Cell, Job, Sandbox

BATCH_S = 0.003
"""CPU seconds of a batch. From 1 to 2 ms on, the lowest of ten batches of equal codes agree within about 10 %."""
MAX_REPEATS = 20_000
SCREENING, ROUNDS = 3, 5
"""Rounds to find the fastest and the slowest code, and to compare these two; as many again if it is a close thing."""
CLEAR, CLOSE = 2.0, 1.1
"""Ratios from which on, and up to which, the first `ROUNDS` are enough."""
TURNS = (0, 1, 1, 0)
"""Two measurements of both codes a round, in an order in which a drift favours neither."""
TAIL = 0.01


@dataclass(frozen=True)
class Workload:
    """What every code has to do in one run."""

    entry_point: str
    calls: tuple[str, ...]
    """Calls of the entry point on literals, e.g. `f([1, 2], k=3)`."""
    most_repeats: ClassVar[int] = MAX_REPEATS

    def job(self, name: str, code: str, repeats: int) -> Job:
        """An empty batch and a full one."""
        return Job(name, (code,), (batch(code, self, 0), batch(code, self, repeats)))

    def cost(self, cells: Sequence[Cell]) -> tuple[float, float]:
        """CPU seconds of both; NaN where one does not end well."""
        empty, full = cells
        return _cpu_s(empty), _cpu_s(full)


@dataclass(frozen=True)
class ProgramWorkload:
    """The same for programs that read standard input."""

    calls: tuple[str, ...]
    """Tests by input and output, each a process: a run that prints something else does not end well."""
    most_repeats: ClassVar[int] = 8

    def job(self, name: str, code: str, repeats: int) -> Job:
        """A full batch: no program runs without an input."""
        return Job(name, (code,), self.calls * repeats)

    def cost(self, cells: Sequence[Cell]) -> tuple[float, float]:
        """Nothing, and CPU seconds of all processes."""
        return 0.0, math.fsum(map(_cpu_s, cells))


AnyWorkload = Workload | ProgramWorkload


@dataclass(frozen=True)
class CostComparison:
    """The fastest and the slowest of some codes; times in CPU seconds of one run."""

    fast: int
    slow: int
    fast_s: float
    slow_s: float
    noise: float
    """99th percentile of the ratio of two lowest batches of one code: what no difference at all may look like."""
    rounds: int

    @property
    def speedup(self) -> float:
        """How many times faster the fast code is."""
        return self.slow_s / self.fast_s


def batch(code: str, work: Workload, repeats: int) -> str:
    """A test that runs a code `repeats` times from scratch, with all its calls; the text stands for itself."""
    calls = "".join(f"    {call}\n" for call in work.calls)
    return (
        "import builtins as _b\n"
        f"_module = _b.compile({code!r}, '<solution>', 'exec')\n"
        f"for _ in _b.range({repeats}):\n"
        "    _names = {'__name__': __name__}\n"
        "    _b.exec(_module, _names)\n"
        f"    {work.entry_point} = _names[{work.entry_point!r}]\n"
        f"{calls}"
        "    _names.clear()\n"
    )


def measure_once(
    sandbox: Sandbox, work: AnyWorkload, codes: Sequence[str], repeats: Sequence[int]
) -> list[tuple[float, float]]:
    """CPU seconds of an empty batch and of a batch of each code, one after the other; NaN where one does not end well.

    Args:
        sandbox: Runs every test in a process of its own (mode `official`).
        work: What one run does.
        codes: Whole programs.
        repeats: Runs in a batch, for each code.
    """
    jobs = [work.job(str(i), code, n) for i, (code, n) in enumerate(zip(codes, repeats, strict=True))]
    return [work.cost(matrix.cells[0]) for matrix in sandbox.run_many(jobs)]


def _cpu_s(cell: Cell) -> float:
    return cell.cpu_s if cell.verdict == "passed" else math.nan


def calibrate(sandbox: Sandbox, work: AnyWorkload, codes: Sequence[str]) -> list[int]:
    """Runs that make a batch of each code last `BATCH_S`; 0 for a code that does not end well."""
    repeats = [1] * len(codes)
    open_ = list(range(len(codes)))
    while open_:
        times = measure_once(sandbox, work, [codes[i] for i in open_], [repeats[i] for i in open_])
        left = []
        for i, (empty, full) in zip(open_, times, strict=True):
            spent = full - empty
            if math.isnan(spent):
                repeats[i] = 0
            elif spent < BATCH_S and repeats[i] < work.most_repeats:
                growth = min(30.0, max(2.0, 1.2 * BATCH_S / max(spent, 1e-9)))
                repeats[i] = min(work.most_repeats, math.ceil(repeats[i] * growth))
                left.append(i)
        open_ = left
    return repeats


def lowest(batches: Sequence[tuple[float, float]], repeats: int) -> list[float]:
    """CPU seconds of one run from each batch, the lowest cost of an empty batch taken off; ascending."""
    empty = min(first for first, _ in batches)
    return sorted(max(full - empty, 1e-9) / repeats for _, full in batches)


def spread(costs: Sequence[float]) -> float:
    """How far the lowest costs of two halves of these measurements of one code may lie apart: a ratio >= 1.

    Of all ways to halve them, the 99th percentile. The half without the lowest cost starts at the k-th lowest or later
    if all lower ones fell into the other half, which happens in 2 C(2n - k, n) of the C(2n, n) ways.

    Args:
        costs: 2n measurements, ascending.
    """
    half = len(costs) // 2
    ways = math.comb(2 * half, half)
    start = 1
    while start < half and 2 * math.comb(2 * half - start - 1, half) > TAIL * ways:
        start += 1
    return costs[start] / costs[0]


def compare_costs(sandbox: Sandbox, work: AnyWorkload, codes: Sequence[str]) -> CostComparison | None:
    """Finds the fastest and the slowest code, then measures these two afresh; None if fewer than 2 codes end well.

    A code that raises, or goes over a limit when it is run many times, takes no part.
    """
    repeats = calibrate(sandbox, work, codes)
    able = [i for i, count in enumerate(repeats) if count]
    if len(able) > 2:
        costs = _costs(sandbox, work, [codes[i] for i in able], [repeats[i] for i in able], SCREENING)
        order = sorted((cost[0], i) for i, cost in zip(able, costs, strict=True) if not any(map(math.isnan, cost)))
        able = [order[0][1], order[-1][1]] if len(order) > 1 else []
    return duel(sandbox, work, codes, able, [repeats[i] for i in able]) if len(able) == 2 else None


def timing_executions(codes: int, most_repeats: int = MAX_REPEATS) -> int:
    """Executions that `compare` takes at most, an empty batch and a full one each time counting as two."""
    steps = math.ceil(math.log2(most_repeats)) + 1
    screening = SCREENING if codes > 2 else 0
    return 2 * (codes * (steps + screening) + len(TURNS) * 2 * ROUNDS)


def program_executions(codes: int, tests: int) -> int:
    """The same for programs that read standard input, where each batch is many processes."""
    return timing_executions(codes, ProgramWorkload.most_repeats) // 2 * tests * ProgramWorkload.most_repeats


def duel(
    sandbox: Sandbox, work: AnyWorkload, codes: Sequence[str], two: Sequence[int], repeats: Sequence[int]
) -> CostComparison | None:
    """Measures two codes carefully; None if one of them did not end well.

    Args:
        sandbox: As for `measure_once`.
        work: What one run does.
        codes: Whole programs.
        two: Positions of the two among the codes.
        repeats: Runs in a batch of each of the two.
    """
    pool: list[list[tuple[float, float]]] = [[], []]
    for rounds in (ROUNDS, 2 * ROUNDS):
        _extend(pool, sandbox, work, [codes[i] for i in two], repeats, ROUNDS)
        costs = [lowest(batches, count) for batches, count in zip(pool, repeats, strict=True)]
        if any(math.isnan(value) for cost in costs for value in cost):
            return None
        fast, slow = (0, 1) if costs[0][0] <= costs[1][0] else (1, 0)
        noise = max(map(spread, costs))
        result = CostComparison(two[fast], two[slow], costs[fast][0], costs[slow][0], noise, rounds)
        if result.speedup < CLOSE or result.speedup > max(CLEAR, noise**2):
            break
    return result


def _costs(
    sandbox: Sandbox, work: AnyWorkload, codes: Sequence[str], repeats: Sequence[int], rounds: int
) -> list[list[float]]:
    pool: list[list[tuple[float, float]]] = [[] for _ in codes]
    for _ in range(rounds):
        for batches, once in zip(pool, measure_once(sandbox, work, codes, repeats), strict=True):
            batches.append(once)
    return [lowest(batches, count) for batches, count in zip(pool, repeats, strict=True)]


def _extend(
    pool: list[list[tuple[float, float]]],
    sandbox: Sandbox,
    work: AnyWorkload,
    codes: Sequence[str],
    repeats: Sequence[int],
    rounds: int,
) -> None:
    for _ in range(rounds):
        times = measure_once(sandbox, work, [codes[i] for i in TURNS], [repeats[i] for i in TURNS])
        for i, once in zip(TURNS, times, strict=True):
            pool[i].append(once)
