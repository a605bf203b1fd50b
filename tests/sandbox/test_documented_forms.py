"""Every form of a test is judged as the list in docs/sandbox.md says, and a wrong code fails it."""

import sys
from pathlib import Path

import pytest

from codepref.sandbox import Cell, Job, Limits, Sandbox

sys.path.insert(0, str(Path(__file__).parent))
from documented_forms import CODE, FORMS, Form

WRONG = """class Point:
    def __init__(self, *_):
        self.x = 99

    def __eq__(self, other):
        return False

    def __add__(self, other):
        return self

    def norm(self):
        return 99


make = Point


def f(x):
    return None


def count(n):
    return iter([9])


def apply(function, x):
    return 0


async def later(x):
    return 0


def change(items):
    pass
"""


@pytest.fixture(scope="module")
def cells() -> dict[Form, tuple[Cell, Cell]]:
    with Sandbox(Limits(wall_s=30)) as sandbox:
        right, wrong = sandbox.run(Job("forms", (CODE, WRONG), tuple(form.test for form in FORMS), "f")).cells
    return dict(zip(FORMS, zip(right, wrong, strict=True), strict=True))


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_form(form: Form, cells: dict[Form, tuple[Cell, Cell]]) -> None:
    right, wrong = cells[form]
    if form.mode in ("plain", "official"):
        assert (right.verdict, right.mode) == ("passed", form.mode), right.error
        assert wrong.verdict == "failed"
    else:
        assert right.verdict == wrong.verdict == "unjudged"
        assert right.error.startswith("blind") == (form.mode == "blind")


def test_the_page_has_every_form(root: Path) -> None:
    lines = (root / "docs" / "sandbox.md").read_text(encoding="utf-8").splitlines()
    rows = [[part.strip() for part in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")]
    told = {row[0]: row[-1] for row in rows}
    assert {form.name: told.get(form.name) for form in FORMS} == {form.name: form.mode for form in FORMS}
