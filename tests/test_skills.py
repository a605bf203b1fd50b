"""The skills for agents: the form their readers expect, and commands that work one after the other."""

import json
import re

import pages
import pytest
import yaml

from codepref import cli

SKILLS = [page for page in pages.PAGES if page.startswith("skills/")]
CHEAP = ("build", "inspect", "execute")
"""Commands that are run here; those that need a model, a GPU or the Hub are read by their parsers (test_docs.py)."""


def test_there_are_four():
    assert len(SKILLS) == 4


@pytest.mark.parametrize("page", SKILLS)
def test_front_matter(root, page):
    head, body = re.fullmatch(r"---\n(.*?)\n---\n\n(.*)", pages.text(page), re.S).groups()
    about = yaml.safe_load(head)
    assert set(about) == {"name", "description"}
    assert about["name"] == (root / page).parent.name
    assert re.fullmatch(r"[a-z0-9-]{1,64}", about["name"])
    assert len(about["description"]) <= 1024
    assert " Use when " in about["description"]
    assert body.startswith("# ")
    assert f"({page})" in pages.text("AGENTS.md")


def test_the_commands_of_building_and_debugging_work(tmp_path, monkeypatch, capsys):
    """In the order of the pages, on the samples and the case they show."""
    monkeypatch.chdir(tmp_path)
    build, debug = "skills/build-a-dataset/SKILL.md", "skills/debug-a-verdict/SKILL.md"
    (tmp_path / "samples.jsonl").write_text(pages.blocks(build, "json")[0])
    (tmp_path / "cases.jsonl").write_text(pages.blocks(debug, "json")[0])
    ran = 0
    for page in (build, debug):
        for words in pages.commands(page):
            if words[1] in CHEAP:
                assert cli.main(words[1:]) == 0, words
                ran += 1
    assert ran == 9
    assert "add" in capsys.readouterr().out
    for name in ("verdicts.jsonl", "slower.jsonl"):
        assert json.loads((tmp_path / name).read_text())["verdicts"] == ["passed"]
