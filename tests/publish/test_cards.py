import re

import pytest
from building import build_in
from huggingface_hub import DatasetCard

from builders.codedpo import method as codedpo
from builders.codedpo.method import Config
from codepref.sandbox import Limits

from builders_recordings import RECORDINGS, write  # isort: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("cards")
    recordings = write(path / "generations.jsonl")
    build_in(codedpo, Config(generations=str(recordings), limits=Limits(cpu_s=0.3)), path / "run", quiet=True)
    return path / "run"


def test_the_front_matter_is_what_the_hub_reads(folder):
    card = DatasetCard.load(folder / "README.md")
    assert card.data.configs[0]["config_name"] == "correctness"
    assert card.data.configs[0]["default"] is True
    assert "dpo" in card.data.tags
    info = card.data.to_dict()["dataset_info"]
    assert info["splits"][0]["num_examples"] == 4
    assert [feature["name"] for feature in info["features"]][:3] == ["prompt", "chosen", "rejected"]


def test_nothing_is_left_open(folder):
    text = (folder / "README.md").read_text()
    for bad in ("More Information Needed", "None", "{{", "{%", "[]", "nan"):
        assert bad not in text.partition("Configuration:")[0], bad
    assert not re.search(r"\n{4,}", text)
    assert text.count("```") % 2 == 0


def test_what_a_reader_wants_to_know(folder):
    text = (folder / "README.md").read_text()
    for part in (
        "## How to load",
        "## One row of",
        "## Columns of",
        "| `confidence` | 0 to 1",
        "1 prompt all scores equal",
        "| MIT | 1 |",
        "arXiv:2410.05605",
        "passed ",
    ):
        assert part in text, part
    assert "For measuring only" not in text


def test_a_benchmark_build_says_that_it_is_one(tmp_path):
    rows = [{**RECORDINGS[0], "prompt_id": "HumanEval/7"}, {**RECORDINGS[0], "prompt_id": "own/8"}]
    recordings = write(tmp_path / "g.jsonl", rows)
    build_in(codedpo, Config(generations=str(recordings), limits=Limits(cpu_s=0.3)), tmp_path / "run", quiet=True)
    text = (tmp_path / "run" / "README.md").read_text()
    assert "**For measuring only.**" in text
    assert "tasks of HumanEval" in text


def test_code_with_fences_inside_stays_inside():
    from codepref.publish.cards import code_block

    block = code_block("a = '''\n```\n'''")
    assert block.startswith("````python\n")
    assert block.endswith("\n````")
