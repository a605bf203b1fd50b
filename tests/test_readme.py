"""The README alone: its length, its picture, and that what it shows as output is what comes out."""

import importlib.util
import json

import pages

from codepref import cli


def section(title):
    return pages.text("README.md").split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_it_can_be_read_at_one_sitting():
    assert len(pages.text("README.md").splitlines()) <= 160


def test_the_picture_is_what_its_script_draws(root):
    folder = root / "docs" / "figures"
    spec = importlib.util.spec_from_file_location("chain", folder / "chain.py")
    chain = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(chain)
    for name in chain.PALETTES:
        assert (folder / f"chain-{name}.svg").read_text() == chain.drawing(name)
        assert f'"docs/figures/chain-{name}.svg"' in pages.text("README.md")


def test_the_verdicts_it_shows(tmp_path):
    part = section("Sandbox")
    (cases,) = [block for kind, block in pages.BLOCK.findall(part) if kind == "json"]
    (output,) = [block for kind, block in pages.BLOCK.findall(part) if not kind]
    (tmp_path / "cases.jsonl").write_text(cases)
    words = ["--input", str(tmp_path / "cases.jsonl"), "--output", str(tmp_path / "verdicts.jsonl"), "--jobs", "1"]
    assert cli.main(["execute", *words]) == 0
    lines = []
    for row in map(json.loads, (tmp_path / "verdicts.jsonl").read_text().splitlines()):
        (error,) = set(row["errors"]) - {""}
        lines.append(f"{row['id']}  {', '.join(row['verdicts'])} ({error})")
    assert output.splitlines() == lines
