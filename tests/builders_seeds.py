"""Four small functions to draw concepts from, and a model that makes tasks, codes and tests of them."""

import json
import re

FUNCTIONS = [
    f"def shift_by_{n}(values):\n    moved = []\n    for value in values:\n        moved.append(value + {n})\n    return moved\n"
    for n in (3, 5, 7, 9)
]
SUBJECTS = {
    3: "Every reading of a thermometer is off by a fixed amount; give the corrected reading of one measurement.",
    5: "A bus leaves later than planned. Work out its new departure, in minutes after midnight, from the planned one.",
    7: "Pages of a book are numbered from its cover. Find the number that is printed on a page of the main text.",
    9: "An archive moved its boxes to other shelves. For the old shelf of a box, say on which shelf it stands today.",
}


def write_seeds(path):
    rows = [
        {"source": code, "package": "shifts", "version": "1.0", "licence": "MIT", "path": "shifts.py"}
        for code in FUNCTIONS
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def answer(prompt, seed, _choice=0):
    """Right two times out of three in codes, always in tests; formats are kept."""
    if "Which programming concepts" in prompt:
        return f"- adding {re.search(r'shift_by_([0-9])', prompt)[1]} to a number\n- plain arithmetic\n"
    if "Write one new programming task" in prompt:
        return task_text(int(re.search(r"adding ([0-9])", prompt)[1]))
    name, n = re.search(r"def (move_([0-9]))\(", prompt).groups()
    if "Do not solve it" in prompt:
        return f"```python\nassert {name}({seed % 100_000}) == {seed % 100_000 + int(n)}\n```"
    return f"Here it is.\n```python\ndef {name}(x):\n    return x + {int(n) + seed % 3 // 2}\n```"


def task_text(n):
    return f"### Task\n{SUBJECTS[n]} The amount is {n}.\n\n### Signature\ndef move_{n}(x: int) -> int:\n"
