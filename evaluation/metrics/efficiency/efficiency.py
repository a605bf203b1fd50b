"""CodeDPO's efficiency metrics, for `evaluate.load("evaluation/metrics/efficiency")`; programs run in the sandbox."""

import json
from typing import Any

import datasets
import evaluate

from codepref.sandbox.calls import callers
from evaluation.benchmark import Problem, Settings
from evaluation.efficiency import efficiency_summary, measure
from evaluation.grade import inputs

_DESCRIPTION = "Speed-up of programs over others on the same inputs, in CPU time, and the share that is >= 10 % faster."
_KWARGS = """
Args:
    predictions: One program for each problem.
    references: The program it is compared with.
    entry_points: Name of the function of each problem.
    inputs: JSON list of argument lists of each problem.
Returns:
    speed_up (mean ratio) with its 95 % interval, geometric_mean (mean, low, high), optimised, slower, and the ratio of
    every problem.
"""


class EfficiencyMetric(evaluate.Metric):  # type: ignore[misc]
    """Compares pairs of right programs."""

    def _info(self) -> Any:
        names = ("predictions", "references", "entry_points", "inputs")
        features = datasets.Features({name: datasets.Value("string") for name in names})
        return evaluate.MetricInfo(
            description=_DESCRIPTION, citation="", inputs_description=_KWARGS, features=features, format=None
        )

    def _compute(
        self, predictions: list[str], references: list[str], entry_points: list[str], inputs: list[str]
    ) -> dict[str, Any]:
        work = [
            (_problem(place, name, json.loads(calls)), other, program)
            for place, (program, other, name, calls) in enumerate(
                zip(predictions, references, entry_points, inputs, strict=True)
            )
        ]
        costs = callers(work, measure, metric_limits())
        return efficiency_summary({str(place): cost for place, cost in enumerate(costs)})


def _problem(place: int, name: str, calls: list[list[Any]]) -> Problem:
    return Problem(str(place), "", "", name, row={"base_input": [], "plus_input": calls})


def metric_limits() -> Any:
    """Limits of the sandbox."""
    return inputs.calling_limits(Settings())
