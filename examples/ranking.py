"""Codes and tests rank each other: which of four codes is best when nobody knows which tests are right.

Three codes pass two tests each, so counting does not tell them apart; whom the passing codes agree with does.

    python examples/ranking.py

pass_count          2.00    2.00    2.00    0.00
self_validation  1062.03 1062.03  778.47    0.00
combined            0.23    0.23    0.07    0.00
"""

import numpy as np

from builders.chain.evidence import MatrixStack
from builders.chain.ranking import rank
from codepref.sandbox import Job, Sandbox

codes = (
    "def middle(items):\n    return sorted(items)[len(items) // 2]",
    "def middle(items):\n    items = list(items)\n    items.sort()\n    return items[len(items) // 2]",
    "def middle(items):\n    return items[len(items) // 2]",
    "def middle(items):\n    return max(items)",
)
tests = ("assert middle([3, 1, 2]) == 2", "assert middle([1, 2, 9]) == 2", "assert middle([5, 1, 4]) == 1")

with Sandbox() as sandbox:
    cells = sandbox.run(Job("middle", codes, tests, entry_point="middle")).cells
passed = np.array([[cell.verdict == "passed" for cell in row] for row in cells])
values = np.array([[cell.fingerprint for cell in row] for row in cells])
labels = np.unique(values, return_inverse=True)[1].reshape(values.shape)  # equal values have equal labels
evidence = MatrixStack(passed[None], labels[None])  # of one prompt
for name in ("pass_count", "self_validation", "combined"):
    scores, _ = rank(name, evidence)
    print(f"{name:<16}", *(f"{score:7.2f}" for score in scores[0]))
