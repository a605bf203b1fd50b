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

from builders.chain import ranking
from codepref import extract
from codepref.commands.quickstart import truth
from codepref.generate import Request, Sampling
from codepref.generate.cache import Cache
from codepref.generate.tiny.backend import CHECKPOINT, TinyConfig, TinyGenerator
from codepref.generate.tiny.tasks import ENTRY_POINT, Task, tasks
from codepref.intervals import bootstrap
from evaluation import tiny

CODES, TEST_ANSWERS, TESTS = 15, 35, 30
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
    return f"{value[0]:.3f} [{value[1]:.3f}, {value[2]:.3f}]" if isinstance(value, tuple) else f"{value:.3f}"


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
        right, right_best = judged(chosen, codes), judged(chosen, best)
        references = [([task.reference], some) for task, some in zip(chosen, tests, strict=True)]
        valid = [row[0] for row in tiny.ragged(references)]
        matrices = tiny.ragged(list(zip(codes, tests, strict=True)))
        repaired = repairs(warm, chosen, codes, right, tests, valid)
    return {
        "greedy": bootstrap(right_best[:, 0]),
        "sampled": bootstrap(right.mean(1)),
        "tests_right": bootstrap(np.array([row.mean() for row in valid])),
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


def judged(chosen: Sequence[Task], codes: Sequence[Sequence[str]]) -> np.ndarray:
    """(tasks, codes): which codes pass all hidden tests of their task."""
    return np.stack(tiny.right([(task.prompt, some) for task, some in zip(chosen, codes, strict=True)]))


def evidence(matrices: Sequence[np.ndarray], right: np.ndarray) -> dict[str, float]:
    """How well the score tells right programs from wrong ones, over tasks that have both."""
    areas, top = [], []
    for matrix, mine in zip(matrices, right, strict=True):
        if mine.all() or not mine.any() or not matrix.size:
            continue
        scores, _ = ranking.self_validation(matrix)
        areas.append(truth.area(scores, mine))
        top.append(float(mine[scores == scores.max()].mean()))
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
        wrong = next((code for code, good in zip(codes[n], right[n], strict=True) if not good), None)
        true = [test for test, good in zip(tests[n], valid[n], strict=True) if good]
        if wrong is None or not true:
            continue
        fails = [test for test, passed in zip(true, tiny.ragged([([wrong], true)])[0][0], strict=True) if not passed]
        if fails:
            asked = f"{task.prompt}\n\n```python\n{wrong}```\n\nThis fails:\n{fails[0]}\n"
            requests.append(Request(task.task_id, "refine1", asked, n=4))
            about.append(task)
    texts = [[completion.text for completion in row] for row in generator.generate(requests)]
    again = ask(generator, "code", about, CODES + 4)
    return {
        "repaired": float(judged(about, texts).mean()),
        "resampled": float(judged(about, [row[CODES:] for row in again]).mean()),
        "repairs": len(about),
    }


if __name__ == "__main__":
    main()
