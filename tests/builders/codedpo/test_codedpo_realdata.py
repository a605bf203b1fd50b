"""Real generations of a 16B model: not part of the project, so these tests skip where they are absent."""

import gzip
import hashlib
import importlib.util
import json

import datasets
import pytest
from building import build_in

from builders.codedpo import method as codedpo
from codepref import config

pytestmark = pytest.mark.realdata
TASKS = 24


@pytest.fixture(scope="module")
def recordings(tmp_path_factory, root, shared):
    spec = importlib.util.spec_from_file_location("codet_humaneval", root / "benchmarks" / "codet_humaneval.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    path = tmp_path_factory.mktemp("codet") / "codet.jsonl.gz"
    with gzip.open(path, "wt") as out:
        for number, row in enumerate(script.convert(shared / "codet_humaneval", codes=100, tests=100)):
            if number < TASKS:
                out.write(json.dumps(row) + "\n")
    return path


def build(recordings, root, out, workers):
    path = root / "builders/configs/codedpo/recorded.yaml"
    changes = ["limits.cpu_s=0.5", "shard_size=8", "efficiency.enabled=false"]  # times differ from build to build
    settings = config.load(codedpo.Config, path, [f"generations={recordings}", *changes])
    return build_in(codedpo, settings, out, workers=workers, quiet=True)


@pytest.fixture(scope="module")
def built(recordings, root, tmp_path_factory):
    out = tmp_path_factory.mktemp("real") / "run"
    return out, build(recordings, root, out, 2)


def test_load_dataset_opens_it(built):
    out, manifest = built
    rows = datasets.load_dataset(str(out), split="train")
    assert len(rows) == manifest["dataset"]["correctness"]["rows"] >= 15
    assert all(len(row) == 15 for row in rows["code_ids"])
    assert all("def " in chosen for chosen in rows["chosen"])
    assert "unjudged" not in {v for row in rows["verdict_counts"] for v, count in row.items() if count}


def test_the_card_says_that_it_is_for_measuring(built):
    out, _ = built
    text = (out / "README.md").read_text()
    assert "**For measuring only.**" in text
    assert "tasks of HumanEval" in text


def test_one_worker_gives_the_same_bytes(built, recordings, root, tmp_path):
    out, manifest = built
    assert build(recordings, root, tmp_path / "one", 1) == manifest
    hashes = [
        {p.relative_to(run).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in run.rglob("*.parquet")}
        for run in (out, tmp_path / "one")
    ]
    assert hashes[0] == hashes[1]


def test_chosen_is_more_often_right_than_rejected(built, shared):
    out, _ = built
    with gzip.open(shared / "codet_humaneval" / "ground_truth.jsonl.gz", "rt") as lines:
        truth = {(row["task_id"], row["sample"]): row["passed"] for row in map(json.loads, lines)}
    from codepref.records import Candidates, from_table
    from codepref.store import Stage

    stage = Stage(next((out / "stages").glob("candidates-*")), "candidates", "")
    ready = {
        row.prompt_id: row for index in range(len(stage.shards())) for row in from_table(stage.read(index), Candidates)
    }
    right = {"chosen": 0, "rejected": 0}
    for row in datasets.load_dataset(str(out), split="train"):
        for side in right:
            sample = ready[row["prompt_id"]].codes[row[f"{side}_index"]].sample
            right[side] += truth[row["prompt_id"], sample]
    assert right["chosen"] >= 2 * max(right["rejected"], 1)
