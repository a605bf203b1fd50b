"""One recorded prompt for each thing that can happen in a build."""

import json


def recording(prompt_id, codes, tests, entry_point="f", **more):
    return {
        "prompt_id": prompt_id,
        "prompt": f"Write {entry_point}.",
        "entry_point": entry_point,
        "codes": codes,
        "tests": tests,
        **more,
    }


GOOD, SAME, OFF, WRONG = (
    "def f(x):\n    return x + 1\n",
    "def f(x):\n    one = 1\n    return one + x\n",
    "def f(x):\n    return x + 1 if x else 0\n",
    "def f(x):\n    return x * 7\n",
)
TESTS = ["assert f(0) == 1", "assert f(1) == 2", "assert f(-3) == -2", "assert f(2) == 4"]  # the last one is wrong

RECORDINGS = [
    recording(
        "clear", [WRONG, OFF, SAME, GOOD], TESTS, generator="a model", source="made for this test", licence="MIT"
    ),
    recording("equal", [GOOD, SAME], TESTS),
    recording("loop", [GOOD, "def f(x):\n    while x:\n        pass\n    return 1\n"], TESTS),
    recording(
        "broken",
        [GOOD, "def f(x: return", "", OFF, "g = 1"],
        ["assert f(0) == 1\nassert f(0) == 1", "assert g(1)", "assert ("],
    ),
    recording("lonely", [GOOD, "def f(x"], TESTS),
    recording("untested", [GOOD, WRONG], ["nothing"]),
    recording("bad-tests", [WRONG, WRONG + "\n", GOOD], ["assert f(1) == 7", "assert f(2) == 14", "assert f(3) == 21"]),
]

NOISY = recording("noisy", [GOOD, 'def f(x):\n    return "\x1b[2J"\n'], TESTS)
"""A code with a control character, which clears a terminal."""


def write(path, rows=RECORDINGS):
    """Writes recordings to a file."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
