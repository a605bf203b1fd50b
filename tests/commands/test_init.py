"""`codepref init`: each file it writes is run, or read as far as it can be without a model."""

import dataclasses
import json
import shlex

import pytest
from generate.fake_server import FakeServer
from inprocess import run

from codepref import cli, config


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def told(result):
    """The commands that are printed: those of the head of the file."""
    joined = result.stdout.replace("\\\n", " ")
    return [
        shlex.split(line, comments=True)[1:] for line in joined.splitlines() if line.strip().startswith("codepref ")
    ]


def parsed(words):
    return cli._parser(words).parse_args(words)


def test_without_options_it_runs_as_it_is(tmp_path):
    result = run("init", "mine")
    assert result.returncode == 0
    build, inspect, train = told(result)
    assert build == ["build", "codedpo", "--config", "mine/build.yaml", "--out", "mine/run"]
    assert run(*build, "--quiet", "--workers", "1").returncode == 0
    assert (tmp_path / "mine/run/README.md").exists()
    assert "pairs 3 3" in " ".join(run(*inspect).stdout.split())
    assert parsed(train).method == "dpo"


def test_trajectories_are_told_from_samples(tmp_path):
    rows = [
        {
            "prompt_id": "add", "prompt": "Write add(a, b).", "entry_point": "add", "tests": ["assert add(1, 2) == 3"],
            "versions": ["def add(a, b):\n    return a - b", "def add(a, b):\n    return a + b"],
        }
    ]  # fmt: skip
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    build, _, train = told(run("init", "mine", "--samples", "t.jsonl", "--model", "org/name"))
    assert build[:2] == ["build", "codeflow"]
    assert parsed(train).method == "focal_dpo"
    assert "model_name_or_path=org/name" in train
    assert run(*build, "--quiet", "--workers", "1").returncode == 0
    assert not (tmp_path / "mine" / "samples.jsonl").exists()


def test_a_server_is_asked(tmp_path):
    with FakeServer() as server:
        result = run("init", "mine", "--server", server.base_url)
        assert "Fill in: generation.server.model" in result.stdout
        assert "mine/prompts.jsonl" in result.stdout
        dry, build = told(result)
        assert dry[-1] == "--dry-run"
        keys = ["decontaminate=[]", "codes_per_prompt=2", "tests_per_prompt=2"]
        words = [word for key in keys for word in ("--set", key)]
        assert "requests" in run(*dry, *words).stdout
        assert not server.seen
        run(*build, *words, "--quiet", "--workers", "1")
        assert len(server.seen) == 12


@pytest.mark.parametrize("more", [[], ["--server", "http://a:8000/v1,http://b:8000/v1"], ["--seeds", "src/"]])
def test_an_experiment_is_accepted(tmp_path, more):
    from codepref.commands.experiment.file import Experiment, check
    from codepref.commands.experiment.steps import planned_steps

    result = run("init", "mine", "--model", "org/name", *more)
    assert ("Fill in" in result.stdout) == ("--seeds" not in more)
    _, words = told(result)
    assert words == ["run", "mine/experiment.yaml", "--out", "mine/run"]
    experiment = config.load(Experiment, "mine/experiment.yaml")
    check(experiment)
    steps = list(planned_steps(dataclasses.replace(experiment, chat=True), tmp_path, 1))
    assert len(steps) == 7
    assert "tests_per_prompt" not in experiment.datasets["codedpo"].settings  # a chat model puts several into an answer
    assert experiment.datasets["codedpo"].settings["test_answers"] == 4
    assert (experiment.server is None) == ("--server" not in more)


def test_seeds_and_a_server(tmp_path):
    from builders.codedpo.method import Config

    assert run("init", "mine", "--server", "http://a:8000/v1", "--seeds", "src/").returncode == 0
    assert config.load(Config, "mine/build.yaml").seeds == "src/"
    assert not (tmp_path / "mine" / "prompts.jsonl").exists()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--seeds", "src/"], "add --server URL or --model NAME"),
        (["--seeds", "src/", "--samples", "s.jsonl"], "two ways to begin"),
        (["--server", "http://a/v1", "--samples", "s.jsonl"], "two ways to begin"),
        (["--samples", "gone.jsonl"], "gone.jsonl: No such file"),
        (["--samples", "empty.jsonl"], "holds no lines"),
        (["--samples", "s.jsonl"], "s.jsonl:1: neither 'codes' nor 'versions'"),
        (["--samples", "later.jsonl"], "later.jsonl:3: missing key 'tests'; every line needs"),
        (["--samples", "list.json"], "list.json: a JSON list, not JSON lines; write one object a line"),
    ],
)
def test_what_does_not_go_together(tmp_path, words, complaint):
    (tmp_path / "s.jsonl").write_text('{"prompt_id": "a"}\n')
    (tmp_path / "empty.jsonl").write_text("\n")
    good = {"prompt_id": "a", "prompt": "Write a().", "entry_point": "a", "codes": ["x = 1"], "tests": ["assert a()"]}
    rows = [good, {**good, "prompt_id": "b"}, {key: good[key] for key in good if key != "tests"}]
    (tmp_path / "later.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "list.json").write_text(json.dumps([good], indent=1))
    result = run("init", "mine", *words)
    assert result.returncode == 2
    assert complaint in result.stderr
    assert not (tmp_path / "mine").exists()


def test_nothing_is_written_over(tmp_path):
    assert run("init", "mine").returncode == 0
    (tmp_path / "mine" / "samples.jsonl").unlink()
    (tmp_path / "mine" / "build.yaml").write_text("seed: 1\n")
    result = run("init", "mine")
    assert result.returncode == 2
    assert "mine/build.yaml: there already" in result.stderr
    assert (tmp_path / "mine" / "build.yaml").read_text() == "seed: 1\n"
    assert not (tmp_path / "mine" / "samples.jsonl").exists()
