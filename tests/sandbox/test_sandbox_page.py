"""docs/sandbox.md lists every form of a test with the mode it is judged in, as tests/sandbox/forms.py has them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import forms

MODES = {"plain": forms.PLAIN, "official": forms.OFFICIAL, "blind": forms.BLIND, "unjudged": forms.MISSING}


def test_the_page_has_every_form(root: Path) -> None:
    lines = (root / "docs" / "sandbox.md").read_text(encoding="utf-8").splitlines()
    rows = [[part.strip() for part in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")]
    told = {row[0]: row[-1] for row in rows if row[-1] in MODES}
    assert told == {name: mode for mode, tests in MODES.items() for name in tests}


def test_the_readme_leads_to_the_page(root: Path) -> None:
    text = (root / "README.md").read_text(encoding="utf-8")
    part = text[text.index("## Sandbox") :]
    assert "(docs/sandbox.md)" in part
    assert "(SECURITY.md)" in part
