"""pass@k of programs on tests, for `evaluate.load("evaluation/metrics/pass_at_k")`; runs in the sandbox."""

from typing import Any

import datasets
import evaluate

from codepref.sandbox import Job, Limits, execute
from evaluation.score import pass_at_ks

_DESCRIPTION = (
    "Unbiased pass@k (Chen et al. 2021) of programs on asserts that are judged outside the programs' process."
)
_KWARGS = """
Args:
    predictions: One list of programs for each problem.
    references: The tests of each problem: asserts, one a line or one a statement.
    k: Numbers of attempts to report.
    timeout: CPU seconds for one test.
    num_workers: Sandboxes at work at once.
Returns:
    pass@k scores, and the verdicts of all programs, problem by problem.
"""


class PassAtK(evaluate.Metric):  # type: ignore[misc]
    """Takes what `code_eval` takes."""

    def _info(self) -> Any:
        features = datasets.Features(
            {"predictions": datasets.Sequence(datasets.Value("string")), "references": datasets.Value("string")}
        )
        return evaluate.MetricInfo(
            description=_DESCRIPTION, citation="", inputs_description=_KWARGS, features=features, format=None
        )

    def _compute(
        self,
        predictions: list[list[str]],
        references: list[str],
        k: tuple[int, ...] = (1, 10, 100),
        timeout: float = 3.0,
        num_workers: int = 1,
    ) -> tuple[dict[str, float], list[list[str]]]:
        jobs = [
            Job(str(place), tuple(codes), (tests,))
            for place, (codes, tests) in enumerate(zip(predictions, references, strict=True))
        ]
        matrices = execute(jobs, Limits(cpu_s=timeout, screen_s=None), workers=num_workers)
        verdicts = [[row[0].verdict for row in matrix.cells] for matrix in matrices]
        counts = [(len(row), row.count("passed")) for row in verdicts]
        return {name: score.value for name, score in pass_at_ks(counts, k).items()}, [
            list(map(str, row)) for row in verdicts
        ]
