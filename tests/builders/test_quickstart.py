"""The dataset of `make dataset`, against the hidden truth of its codes and tests."""

import hashlib
import json

import datasets
import pyarrow as pa
import pytest
from building import build_in

from builders.codedpo import method as codedpo
from codepref import config
from codepref.cluster import Cluster
from codepref.records import Candidates, Outcomes, from_table
from codepref.stages import stage_line
from codepref.store import Stage

SHA256 = "c1718f495a053771b0864734263754ea54a4fdcde9f22ce6b9629322eb47d3f8"


def settings(root):
    return config.load(
        codedpo.Config,
        root / "builders/configs/codedpo/quickstart.yaml",
        [f"generations={root / 'builders/quickstart/generations.jsonl'}", "efficiency.enabled=false"],
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory, root):
    folder = tmp_path_factory.mktemp("quickstart")
    build_in(codedpo, settings(root), folder, workers=2, quiet=True)
    return folder


@pytest.fixture(scope="module")
def truth(root):
    return json.loads((root / "tests/builders/quickstart_truth.json").read_text())


def stage_rows(folder, name, record):
    stage = Stage(next((folder / "stages").glob(f"{name}-*")), name, "")
    return {row.prompt_id: row for index in range(len(stage.shards())) for row in from_table(stage.read(index), record)}


def test_on_ray_it_is_the_same(nodes, built, tmp_path, root):
    build_in(codedpo, settings(root), tmp_path, quiet=True, cluster=Cluster(nodes.address))
    for name in ("manifest.json", "exclusions.jsonl", "README.md", "correctness/train-00000-of-00001.parquet"):
        assert (tmp_path / name).read_bytes() == (built / name).read_bytes()


def test_most_labels_are_right(built, truth):
    ready = stage_rows(built, "candidates", Candidates)
    rows = datasets.load_dataset(str(built), split="train")
    right = 0
    for row in rows:
        codes, known = ready[row["prompt_id"]].codes, truth[row["prompt_id"]]["codes"]
        chosen, rejected = (known[codes[row[f"{side}_index"]].sample] for side in ("chosen", "rejected"))
        right += chosen and not rejected
    assert (right, len(rows)) == (16, 21)  # docs/codedpo.md says so


def test_the_readme_shows_its_stages(built, root):
    shown = (root / "README.md").read_text().splitlines()
    for name in ("candidates", "outcomes", "pairs"):
        (path,) = (built / "stages").glob(f"{name}-*")
        assert stage_line(Stage(path, name, "").summary()) in shown


def test_a_prompt_whose_codes_behave_alike_gives_no_pair(built):
    excluded = [json.loads(line) for line in (built / "exclusions.jsonl").read_text().splitlines()]
    assert [e["prompt_id"] for e in excluded if e["kind"] == "prompt"] == ["quickstart/clamp_levels"]


def test_right_codes_pass_valid_tests(built, truth):
    """Verdicts against truth: a code known to be right fails no test known to be valid."""
    ready, ran = stage_rows(built, "candidates", Candidates), stage_rows(built, "outcomes", Outcomes)
    wrong = []
    for prompt_id, row in ready.items():
        known = truth[prompt_id]
        for i, code in enumerate(row.codes):
            for j, test in enumerate(row.tests):
                if (
                    known["codes"][code.sample]
                    and known["tests"][test.sample]
                    and ran[prompt_id].verdicts[i][j] != "passed"
                ):
                    wrong.append((prompt_id, code.sample, test.test, ran[prompt_id].verdicts[i][j]))
    assert wrong == []


def test_the_bytes_are_those_of_every_machine(built):
    """One worker or two, root or not, Python 3.11 to 3.13, as docs/codedpo.md says."""
    if pa.__version__ != "26.0.1":
        pytest.skip(f"the hash is that of Arrow 26.0.1, this is {pa.__version__}")
    (path,) = (built / "correctness").glob("*.parquet")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SHA256


def test_every_verdict_is_final(built):
    for row in stage_rows(built, "outcomes", Outcomes).values():
        assert "unjudged" not in {verdict for verdicts in row.verdicts for verdict in verdicts}
