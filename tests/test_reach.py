"""A Hub that can not be reached is told at once, and copies on this machine are read."""

import json
import time

import datasets
import pytest
from huggingface_hub import constants
from inprocess import run

from builders.chain import decontaminate
from codepref import reach
from codepref.benchmarks import DECONTAMINABLE
from codepref.errors import CodeprefError
from codepref.generate.local import prefill
from evaluation import benchmark

CLOSED = "http://127.0.0.1:9"


@pytest.fixture
def _away(monkeypatch):
    """Clients that would ask, and nobody who answers."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", CLOSED)
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.delenv("HTTP_PROXY", raising=False)


def read_tasks():
    list(decontaminate._from_hub("humaneval", DECONTAMINABLE["humaneval"]))


def read_problems():
    list(benchmark._hub_rows(DECONTAMINABLE["humaneval"].data))


def read_template():
    prefill.template("org/no-model-of-this-name")


@pytest.mark.usefixtures("_away")
@pytest.mark.parametrize(
    ("read", "remedy"),
    [
        (
            read_tasks,
            r"write benchmarks_dir: FOLDER, with humaneval\.jsonl in it, or take humaneval out of decontaminate",
        ),
        (read_problems, "pass --data FILE"),
        (read_template, "name a model's folder or ORG/NAME"),
    ],
)
def test_it_is_told_at_once(read, remedy, monkeypatch):
    slept = []  # the clients' own tries wait about a minute
    monkeypatch.setattr(time, "sleep", slept.append)
    with pytest.raises(CodeprefError, match=rf"{CLOSED} does not answer, and there is no copy.*{remedy}") as error:
        read()
    assert sum(slept) == 0
    assert "\n" not in str(error.value)
    assert not constants.HF_HUB_OFFLINE and not datasets.config.HF_HUB_OFFLINE


@pytest.mark.usefixtures("_away")
def test_a_build_that_init_wrote_names_the_key(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("init", "mine", "--server", CLOSED).returncode == 0
    ended = run("build", "codedpo", "--config", "mine/build.yaml", "--out", "run", "--quiet", "--workers", "1")
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert "decontaminate: [] checks against nothing" in line


@pytest.mark.usefixtures("_away")
def test_copies_are_read(tmp_path, monkeypatch):
    def read_copy():
        assert constants.HF_HUB_OFFLINE
        return "copy"

    with reach.quick_to_fail("org/name"):
        assert read_copy() == "copy"
    (tmp_path / "config.json").write_text(json.dumps({}))
    with reach.quick_to_fail(str(tmp_path)):
        assert not constants.HF_HUB_OFFLINE
