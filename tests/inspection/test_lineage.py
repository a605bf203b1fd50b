"""From a model back to the code that made its data."""

import hashlib
import json
from dataclasses import dataclass, field

import pytest

from codepref import __version__, cli
from codepref.errors import CodeprefError
from codepref.inspection.lineage import lineage_text, trace_lineage

import releases  # isort: skip

pytest_plugins = ["hub_double.fixtures"]

SERVED = {"server": {"model": "org/teacher", "base_url": "http://here"}, "sampling": {"temperature": 1.5}}


@dataclass(frozen=True)
class Config:
    seed: int = 7
    generations: str = "samples.jsonl"
    generation: dict = field(default_factory=dict)


@pytest.fixture
def published(remote, tmp_path):
    """A dataset under a tag, and an adapter that was trained on it."""
    releases.build(tmp_path / "run", Config(generation=SERVED), correctness=releases.pairs())
    assert cli.main(["publish", "dataset", str(tmp_path / "run"), "--repo", "org/pairs", "--tag", "v1"]) == 0
    digest = hashlib.sha256((tmp_path / "run" / "manifest.json").read_bytes()).hexdigest()
    adapter = releases.adapter(tmp_path / "adapter", dataset={"tag": "v1", "manifest_sha256": digest})
    assert cli.main(["publish", "model", str(adapter), "--repo", "org/adapter"]) == 0
    return digest


def test_from_the_hub_to_the_code(published):
    model, base, dataset, generator, code = trace_lineage("org/adapter")
    assert [step.what for step in (model, base, dataset, generator, code)] == [
        "model",
        "base",
        "dataset",
        "generator",
        "code",
    ]
    assert (base.name, base.facts["revision"]) == ("org/base", "abc")
    assert dataset.name == "org/pairs@v1"
    assert dataset.facts["manifest"] == f"{published} (the one it was trained on)"
    assert dataset.facts["rows of correctness"] == "3"
    assert (generator.name, generator.facts["seed"], generator.facts["temperature"]) == ("org/teacher", "7", "1.5")
    assert code.name == f"codepref {__version__}"
    assert "pyarrow" in code.facts["versions"]
    text = lineage_text([model, base])
    assert text.startswith("model      org/adapter\n")
    assert "revision: abc" in text


def test_inspect_walks_it(published, tmp_path, capsys):
    capsys.readouterr()
    for name in ("org/adapter", str(tmp_path / "adapter")):
        assert cli.main(["inspect", name]) == 0
        assert capsys.readouterr().out == lineage_text(trace_lineage(name)) + "\n"
    assert cli.main(["inspect", "org/nothing"]) == 2
    assert "neither a folder nor a repository" in capsys.readouterr().err


def test_a_dataset_alone_by_folder_or_tag(published, tmp_path):
    here, there = trace_lineage(str(tmp_path / "run")), trace_lineage("org/pairs@v1")
    assert [step.facts for step in here] == [step.facts for step in there]
    assert here[0].facts["manifest"] == published


def test_another_manifest_than_the_one_trained_on_is_named(published, tmp_path):
    path = tmp_path / "adapter" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["dataset"]["manifest_sha256"] = "0" * 64
    path.write_text(json.dumps(manifest))
    dataset = trace_lineage(str(tmp_path / "adapter"))[2]
    assert dataset.facts["manifest"] == f"CHANGED: {published}, trained on {'0' * 64}"


def test_recorded_samples_and_a_dataset_that_is_not_here(remote, tmp_path):
    releases.build(tmp_path / "run", Config(), correctness=releases.pairs())
    assert trace_lineage(str(tmp_path / "run"))[1].name == "recorded samples, samples.jsonl"
    adapter = releases.adapter(tmp_path / "adapter", dataset={"name": "gone", "local": True})
    assert "not here" in trace_lineage(str(adapter))[2].facts["remark"]


def test_no_lineage(remote, tmp_path):
    with pytest.raises(CodeprefError, match="neither a folder nor a repository on the Hub"):
        trace_lineage("org/nothing")
    with pytest.raises(CodeprefError, match="no manifest.json"):
        trace_lineage(str(tmp_path))
