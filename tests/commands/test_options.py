"""Shipped configurations are found by name, from any folder."""

import argparse
from pathlib import Path

import pytest

from codepref.cli import main
from codepref.commands import train
from codepref.commands.options import CONFIGS, RECIPES, config_file, shipped_folder
from codepref.errors import CodeprefError


def test_a_file_comes_before_a_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = CONFIGS / "codedpo"
    assert config_file("recorded", folder) == str(folder / "recorded.yaml")
    (tmp_path / "recorded").write_text("seed: 3\n")
    assert config_file("recorded", folder) == "recorded"
    assert config_file("tiny/dpo_lora", RECIPES) == str(RECIPES / "tiny" / "dpo_lora.yaml")


def test_the_tiny_model_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "codepref/generate/tiny/checkpoint"
    monkeypatch.chdir(RECIPES.parent)
    assert shipped_folder(name) == name
    monkeypatch.chdir(tmp_path)
    found = shipped_folder(name)
    assert (Path(found) / "model.safetensors").exists()
    assert [shipped_folder(other) for other in ("codepref/nothing", "org/name")] == [
        "codepref/nothing", "org/name",
    ]  # fmt: skip
    config = str(RECIPES / "tiny" / "dpo_lora.yaml")
    arguments = argparse.Namespace(merge=None, accelerate=None, method="dpo", config=config, set=[], skip_bad=False)
    assert train.command_of(arguments)[2:] == ["--config", config, "--model_name_or_path", found]


def test_a_name_that_is_none_is_answered_with_those_that_are() -> None:
    with pytest.raises(CodeprefError, match="--config bets: no such file, and none of the shipped ones: best, paper"):
        config_file("bets", CONFIGS / "codedpo")


@pytest.mark.parametrize(("words", "name"), [(["build", "dstc"], "best"), (["train"], "small/kto_lora")])
def test_shipped_ones_are_listed(capsys: pytest.CaptureFixture[str], words: list[str], name: str) -> None:
    assert main([*words, "--configs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.split()[0] == name]
    assert len(line.split()) > 5
    assert not any(line.startswith("accelerate/") for line in lines)


def test_a_build_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    row = '{"prompt_id": "a", "prompt": "p", "entry_point": "f", "codes": ["def f(): return 1", "def f(): return 2"], '
    (tmp_path / "g.jsonl").write_text(row + '"tests": ["assert f() == 1"]}\n')
    words = ["--config", "recorded", "--set", "generations=g.jsonl", "--workers", "1", "--quiet", "--out", "run"]
    assert main(["build", "codedpo", *words]) == 0
    assert (tmp_path / "run" / "README.md").exists()
