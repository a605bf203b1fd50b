"""Ranking a finished run again: nothing runs, and the bytes are those of a build with that ranking."""

import json
import subprocess
import sys

import pytest
from building import build_in

from builders.codedpo import method as codedpo
from codepref import config
from codepref.errors import CodeprefError
from codepref.inspection import run as inspection
from codepref.sandbox import Sandbox

from builders_recordings import write  # isort: skip

KEYS = ["limits.cpu_s=0.3", "shard_size=2", "pretty_name=Pairs of our own", "licence=mit"]


def build(folder, out, *changes):
    settings = config.load(codedpo.Config, None, [f"generations={folder / 'g.jsonl'}", *KEYS, *changes])
    build_in(codedpo, settings, out, quiet=True)
    return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rerank")
    write(folder / "g.jsonl")
    build(folder, folder / "run", "efficiency.enabled=true")
    return folder


@pytest.fixture
def nothing_runs(monkeypatch):
    def refuse(*_):
        raise AssertionError("a code was to be run")

    monkeypatch.setattr(Sandbox, "run_many", refuse)
    monkeypatch.setattr(Sandbox, "run", refuse)


def published(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and "stages" not in path.parts and path.name != ".lock"
    }


@pytest.mark.parametrize(
    "changes",
    [
        ["ranking=combined"],
        ["ranking=random", "ranking.seed=3", "seed=5"],
        ["ranking.name=self_validation", "ranking.damping=0.5", "min_confidence=0.3"],
    ],
)
def test_the_bytes_of_a_build_with_that_ranking(folder, tmp_path, monkeypatch, nothing_runs, changes):
    run = inspection.read_run(folder / "run")
    name, *more = changes
    before = published(folder / "run")
    codedpo.rerank(run, name.partition("=")[2], more, tmp_path / "again")
    assert published(folder / "run") == before
    monkeypatch.undo()
    short = [name.replace("ranking=", "ranking.name="), *more]
    built = published(build(folder, tmp_path / "built", *short))
    assert set(built) == {
        "README.md",
        "manifest.json",
        "exclusions.jsonl",
        "correctness/train-00000-of-00001.parquet",
    }
    assert published(tmp_path / "again") == built
    if "combined" in name:
        assert built["README.md"] != before["README.md"]


def test_what_is_said_of_the_pairs(folder, nothing_runs):
    run = inspection.read_run(folder / "run")
    stages = sorted(path.name for path in (folder / "run" / "stages").iterdir())
    text = codedpo.rerank(run, "self_validation")
    assert "self_validation; nothing was executed" in text
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "4 pairs, stored 4" in lines
    assert "4 same pair" in lines
    (these,) = [line for line in lines if line.startswith("these")]
    (stored,) = [line for line in lines if line.startswith("stored")]
    assert these.split()[1:] == stored.split()[1:]
    numbers = [float(word) for word in these.split()[1:]]
    assert len(numbers) == 5
    assert numbers == sorted(numbers)
    few = codedpo.rerank(run, "self_validation", ["min_confidence=0.99"])
    assert "0 pairs, stored 4" in few
    assert "4 gone" in few
    assert sorted(path.name for path in (folder / "run" / "stages").iterdir()) == stages


def test_pairs_that_differ_are_counted(folder, nothing_runs):
    """`random` with its seeds: every kind of difference comes up, and every pair is counted once."""
    run = inspection.read_run(folder / "run")
    stored = {row["prompt_id"]: row for row in run.stage("pairs").read(0).to_pylist()}
    assert stored
    met = set()
    for seed in range(12):
        text = codedpo.rerank(run, "random", [f"ranking.seed={seed}"])
        counts = {words: int(count) for count, words in (line.split(None, 1) for line in text.splitlines()[2:8])}
        met |= {words for words, count in counts.items() if count}
        assert sum(counts[words] for words in counts if words != "gone") == 5
        assert counts["new"] == 1  # "equal", whose codes all score the same otherwise
    assert met >= {"same pair", "turned round", "other codes", "new"}


def test_the_run_itself_is_not_overwritten(folder):
    run = inspection.read_run(folder / "run")
    with pytest.raises(CodeprefError, match="this is the run itself"):
        codedpo.rerank(run, "pass_count", (), folder / "run")


def test_from_the_command_line(folder, tmp_path):
    words = ["inspect", str(folder / "run"), "--rank-with", "pass_count", "--set", "min_confidence=0.2"]
    words += ["--out", str(tmp_path / "out")]
    result = subprocess.run([sys.executable, "-m", "codepref.cli", *words], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert f"written to {tmp_path / 'out'}, without efficiency pairs" in result.stdout
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["config"]["ranking"]["name"] == "pass_count"
    assert manifest["config"]["min_confidence"] == 0.2
    assert (tmp_path / "out" / "README.md").exists()
