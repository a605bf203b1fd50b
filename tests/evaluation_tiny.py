"""A benchmark of three problems in EvalPlus' format, for tests that need one."""

import json
from pathlib import Path

PROBLEMS = [
    {
        "task_id": "HumanEval/900", "entry_point": "add", "prompt": "def add(a, b):\n    \"\"\"Sum.\"\"\"\n",
        "canonical_solution": "    return a + b\n", "base_input": [[1, 2]], "plus_input": [[5, 6], [-1, 1]], "atol": 0,
    },
    {
        "task_id": "HumanEval/901", "entry_point": "half", "prompt": "def half(a):\n    \"\"\"Half.\"\"\"\n",
        "canonical_solution": "    return a / 2\n", "base_input": [[3]], "plus_input": [[5], [7]], "atol": 0,
    },
    {
        "task_id": "HumanEval/902", "entry_point": "evens", "prompt": "def evens(n):\n    \"\"\"Even numbers below n.\"\"\"\n",
        "canonical_solution": "    return [i for i in range(n) if i % 2 == 0]\n",
        "base_input": [[4]], "plus_input": [[0], [9], [40000]], "atol": 0,
    },
]  # fmt: skip
RIGHT = [row["prompt"] + row["canonical_solution"] for row in PROBLEMS]


def write_lines(path: Path, rows) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def data(folder: Path) -> Path:
    return write_lines(folder / "data.jsonl", PROBLEMS)


def samples(folder: Path, programs, name: str = "samples.jsonl") -> Path:
    rows = [{"task_id": row["task_id"], "solution": p} for row, p in zip(PROBLEMS, programs, strict=True)]
    return write_lines(folder / name, rows)
