"""Grades a benchmark's programs here, or on Ray: a few problems a task, each task the same `Benchmark.grade`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from codepref.errors import CodeprefError
from evaluation.benchmark import Benchmark, Graded, Problem, Settings, Work

if TYPE_CHECKING:
    from codepref.cluster import Cluster

PROBLEMS = 8
"""A task: a sandbox is started for each, and a lost worker takes so many with it."""
_Part = Sequence[tuple[Problem, Sequence[str]]]


@dataclass(frozen=True)
class _Grading:
    """What is done to each part; goes to the nodes as it is."""

    benchmark: Benchmark
    settings: Settings

    def __call__(self, part: _Part) -> list[list[Graded]]:
        return list(self.benchmark.grade(part, self.settings))


def grade_spread(
    benchmark: Benchmark, work: Work, settings: Settings, on: "Cluster | None" = None
) -> Iterator[list[Graded]]:
    """Verdicts on programs, problem by problem, in order.

    On a cluster every node needs the interpreter of the programs at the same path; expected values are kept by the node
    that computed them.

    Raises:
        CodeprefError: the cluster can not be used, or a few problems killed their worker each time.
    """
    if on is None:
        yield from benchmark.grade(work, settings)
        return
    from codepref import cluster  # here: it loads pyarrow, which most runs can do without

    whole = list(work)
    parts = [whole[start : start + PROBLEMS] for start in range(0, len(whole), PROBLEMS)]
    done = dict[int, list[list[Graded]]]()
    following = 0
    for place, found in cluster.run_calls(on, _Grading(benchmark, replace(settings, workers=1)), parts):
        if isinstance(found, cluster.Lost):
            names = ", ".join(problem.task_id for problem, _ in parts[place])
            raise CodeprefError(
                f"{benchmark.name}: {found.times} workers died grading {names}; verdicts so far are kept"
            )
        done[place] = found
        while following in done:
            yield from done.pop(following)
            following += 1
