"""How good a tiny model is before any training on preferences: its codes, tests and repairs, and what rankings see.

    python benchmarks/tiny_quality.py [CHECKPOINT ...] [--n 240] [--split heldout]

Every number is measured on tasks whose set of steps was never trained on; right means all hidden tests are passed.
Brackets are 95 % bootstrap intervals over tasks.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from builders import ranking
from codepref import extract
from codepref.generate import Request, Sampling
from codepref.generate.cache import Cache
from codepref.generate.tiny.backend import CHECKPOINT, TinyConfig, TinyGenerator
from codepref.generate.tiny.tasks import ENTRY_POINT, Task, tasks
from codepref.sandbox import Job, Limits, execute

CODES, TEST_ANSWERS, TESTS = 15, 35, 30
LIMITS = Limits(cpu_s=0.5)
COLUMNS = {
    "greedy": "greedy pass@1",
    "sampled": f"pass@1, {CODES} samples at T=0.9",
    "tests_right": "tests right",
    "tests_kept": "distinct tests a task",
    "tests_dead": "tests no program passes",
    "mixed": "tasks with right and wrong programs",
    "auc": "AUC of self-validation",
    "top_right": "its top group right",
    "repaired": "repairs right",
    "resampled": "new tries right instead",
}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoints", nargs="*", default=[str(CHECKPOINT)])
    parser.add_argument("--n", type=int, default=240)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--split", choices=("build", "heldout"), default="heldout")
    arguments = parser.parse_args()
    chosen = tasks(arguments.split, arguments.n, arguments.seed)
    results = [{"checkpoint": str(path), **measure(path, chosen)} for path in arguments.checkpoints]
    print(
        "| |" + " | ".join(Path(row["checkpoint"]).name for row in results) + " |\n|---" + "|---" * len(results) + "|"
    )
    for key, name in COLUMNS.items():
        print(f"| {name} | " + " | ".join(shown(row[key]) for row in results) + " |")
    print(json.dumps(results))


def shown(value: Any) -> str:
    """A number, with its interval if it has one."""
    return f"{value[0]:.3f} [{value[1]:.3f}, {value[2]:.3f}]" if isinstance(value, list) else f"{value:.3f}"


def measure(checkpoint: str, chosen: Sequence[Task]) -> dict[str, Any]:
    """All numbers of one checkpoint."""
    config = TinyConfig(checkpoint)
    with tempfile.TemporaryDirectory() as folder, Cache(Path(folder) / "requests.sqlite") as cache:
        greedy = TinyGenerator(config, Sampling(temperature=0), cache)
        warm = TinyGenerator(config, Sampling(temperature=0.9), cache)
        best = ask(greedy, "code", chosen, 1)
        codes = ask(warm, "code", chosen, CODES)
        answers = ask(warm, "test", chosen, TEST_ANSWERS)
        tests = [distinct(texts) for texts in answers]
        right = passes(codes, [task.hidden_tests() for task in chosen]).all(2)
        right_best = passes(best, [task.hidden_tests() for task in chosen]).all(2)
        valid = [row[0] for row in ragged([[task.reference] for task in chosen], tests)]
        matrices = ragged(codes, tests)
        repaired = repairs(warm, chosen, codes, right, tests, valid)
    return {
        "greedy": interval(right_best[:, 0]),
        "sampled": interval(right.mean(1)),
        "tests_right": interval(np.array([row.mean() for row in valid])),
        "tests_kept": float(np.mean([len(found) for found in tests])),
        "tests_dead": float(np.concatenate([~matrix.any(0) for matrix in matrices]).mean()),
        "mixed": float((right.any(1) & ~right.all(1)).mean()),
        **evidence(matrices, right),
        **repaired,
    }


def ask(generator: TinyGenerator, purpose: str, chosen: Sequence[Task], n: int) -> list[list[str]]:
    """Texts for every task."""
    requests = [Request(task.task_id, purpose, task.prompt, n=n) for task in chosen]
    return [[completion.text for completion in row] for row in generator.generate(requests)]


def distinct(texts: Sequence[str]) -> list[str]:
    """The first different tests of some answers."""
    found = [test for text in texts for test in extract.tests(text, ENTRY_POINT)[0]]
    return list(dict.fromkeys(found))[:TESTS]


def passes(codes: Sequence[Sequence[str]], tests: Sequence[Sequence[str]]) -> np.ndarray:
    """(tasks, codes, tests), for the same numbers of both in every task."""
    return np.stack(ragged(codes, tests))


def ragged(codes: Sequence[Sequence[str]], tests: Sequence[Sequence[str]]) -> list[np.ndarray]:
    """Whether code i of a task passes its test j: one array (codes, tests) a task."""
    pairs = enumerate(zip(codes, tests, strict=True))
    jobs = [Job(str(n), tuple(some), tuple(checks), ENTRY_POINT) for n, (some, checks) in pairs]
    matrices = execute(jobs, LIMITS, workers=2)
    return [np.array([[cell.verdict == "passed" for cell in row] for row in matrix.cells]) for matrix in matrices]


def evidence(matrices: Sequence[np.ndarray], right: np.ndarray) -> dict[str, float]:
    """How well the score tells right programs from wrong ones, over tasks that have both."""
    areas, top = [], []
    for matrix, truth in zip(matrices, right, strict=True):
        if truth.all() or not truth.any() or not matrix.size:
            continue
        scores, _ = ranking.self_validation(matrix)
        gaps = scores[truth][:, None] - scores[~truth][None, :]
        areas.append(float((gaps > 0).mean() + (gaps == 0).mean() / 2))
        top.append(float(truth[scores == scores.max()].mean()))
    return {"auc": float(np.mean(areas)), "top_right": float(np.mean(top)), "base_rate": float(right.mean())}


def repairs(
    generator: TinyGenerator,
    chosen: Sequence[Task],
    codes: Sequence[Sequence[str]],
    right: np.ndarray,
    tests: Sequence[Sequence[str]],
    valid: Sequence[np.ndarray],
) -> dict[str, float]:
    """One wrong program a task, with a true test that it fails, repaired four times; and four new tries instead."""
    requests, about = [], []
    for n, task in enumerate(chosen):
        wrong = next((code for code, truth in zip(codes[n], right[n], strict=True) if not truth), None)
        true = [test for test, truth in zip(tests[n], valid[n], strict=True) if truth]
        if wrong is None or not true:
            continue
        fails = [test for test, passed in zip(true, ragged([[wrong]], [true])[0][0], strict=True) if not passed]
        if fails:
            asked = f"{task.prompt}\n\n```python\n{wrong}```\n\nThis fails:\n{fails[0]}\n"
            requests.append(Request(task.task_id, "refine1", asked, n=4))
            about.append(task)
    texts = [[completion.text for completion in row] for row in generator.generate(requests)]
    again = ask(generator, "code", about, CODES + 4)
    hidden = [task.hidden_tests() for task in about]
    return {
        "repaired": float(passes(texts, hidden).all(2).mean()),
        "resampled": float(passes([row[CODES:] for row in again], hidden).all(2).mean()),
        "repairs": len(about),
    }


def interval(values: np.ndarray) -> list[float]:
    """Mean over tasks with its 95 % bootstrap interval."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(0, len(values), (2000, len(values)))].mean(1)
    return [float(values.mean()), *(float(edge) for edge in np.percentile(means, [2.5, 97.5]))]


if __name__ == "__main__":
    main()
