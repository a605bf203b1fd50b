"""A pass matrix: three codes on three tests, every code in the sandbox. The last test is wrong.

    python examples/matrix.py

right: passed, passed, failed
wrong: failed, passed, failed
quits: crashed, crashed, crashed
"""

from codepref.sandbox import Job, Sandbox

codes = {
    "right": "def add(a, b):\n    return a + b",
    "wrong": "def add(a, b):\n    return a * b",
    "quits": "import os\ndef add(a, b):\n    os._exit(0)",
}
tests = ("assert add(1, 2) == 3", "assert add(2, 2) == 4", "assert add(1, 1) == 3")

with Sandbox() as sandbox:
    matrix = sandbox.run(Job("add", tuple(codes.values()), tests, entry_point="add"))
for name, cells in zip(codes, matrix.cells, strict=True):
    print(f"{name}: {', '.join(cell.verdict for cell in cells)}")
