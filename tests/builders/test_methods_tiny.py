"""The methods on a real model's own samples, small as it is: nothing here is scripted."""

import importlib
import json

import pytest
from building import build_in
from datasets import load_dataset

from builders.codedpo import method as codedpo
from codepref import config
from codepref.commands.tiny import prompt_row
from codepref.errors import CodeprefError
from codepref.generate.tiny.tasks import tasks

SMALL = ["codes_per_prompt=6", "tests_per_prompt=8", "shard_size=4"]

FEWER = {"codeflow": ["tests_per_prompt=5", "repair.programs=5"], "dstc": ["codes_per_prompt=6", "tests_per_prompt=8"]}


@pytest.fixture
def settings(root, tmp_path):
    def made(*overrides):
        prompts = tmp_path / "prompts.jsonl"
        prompts.write_text("".join(json.dumps(prompt_row(task, truth=False)) + "\n" for task in tasks("build", 8, 1)))
        path = root / "builders" / "configs" / "codedpo" / "tiny.yaml"
        return config.load(codedpo.Config, path, [f"prompts={prompts}", *SMALL, *overrides])

    return made


def parquet(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.parquet")}


def test_the_whole_chain_gives_the_same_bytes_twice(settings, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    build_in(codedpo, settings(), first, quiet=True)
    build_in(codedpo, settings("generation.tiny.threads=1"), second, quiet=True)
    assert parquet(first) == parquet(second)
    rows = load_dataset(str(first), "correctness", split="train")
    assert len(rows) >= 4
    assert all(pair["chosen"].startswith("def solve(nums):") and pair["chosen"] != pair["rejected"] for pair in rows)
    assert all(pair["generator"].startswith("tiny-") for pair in rows)


@pytest.mark.parametrize(("method", "name"), [("codeflow", "kto"), ("dstc", "kto")])
def test_the_other_methods_give_the_same_bytes_twice(settings, root, tmp_path, method, name):
    builder = importlib.import_module(f"builders.{method}.method")
    path = root / "builders" / "configs" / method / "tiny.yaml"
    made = config.load(builder.Config, path, [f"prompts={settings().prompts}", "shard_size=4", *FEWER[method]])
    build_in(builder, made, tmp_path / "first", quiet=True)
    build_in(builder, made, tmp_path / "second", quiet=True, workers=2)
    assert parquet(tmp_path / "first") == parquet(tmp_path / "second")
    rows = load_dataset(str(tmp_path / "first"), name, split="train")
    assert all(row["prompt"].startswith("def solve(nums):") for row in rows)
    assert all(row["completion"].startswith("def solve(nums):") for row in rows)


def test_a_prompt_of_another_kind_stops_the_build_in_one_line(settings, tmp_path):
    made = settings()
    with open(made.prompts, "a") as file:
        file.write(json.dumps({"prompt_id": "p9", "prompt": "Write solve(nums): the median.", "entry_point": "solve"}))
    with pytest.raises(CodeprefError, match="prompt 'p9': the tiny model only knows its own family"):
        build_in(codedpo, made, tmp_path / "run", quiet=True)


def test_only_one_backend_can_be_named(settings, tmp_path):
    with pytest.raises(CodeprefError, match="needs either 'server'"):
        build_in(codedpo, settings("generation.script=answers.jsonl"), tmp_path / "run", quiet=True)
