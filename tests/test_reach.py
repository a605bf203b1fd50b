"""A Hub that can not be reached is told at once, and copies on this machine are read."""

import contextlib
import errno
import importlib
import json
import socket
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import datasets
import pytest
from huggingface_hub import constants, hf_hub_download
from inprocess import run
from peft.utils.other import check_file_exists_on_hf_hub

from builders.chain import decontaminate
from codepref import reach
from codepref.benchmarks import DECONTAMINABLE
from codepref.errors import CodeprefError
from codepref.generate.local import prefill
from codepref.inspection import lineage
from evaluation import benchmark

RECIPES = Path(__file__).resolve().parent.parent / "recipes"
CLOSED = "http://127.0.0.1:9"


@pytest.fixture
def _away(monkeypatch):
    """Clients that would ask, and nobody who answers."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", CLOSED)
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.delenv("HTTP_PROXY", raising=False)


def recipes(name):
    """A module of the recipes, which find each other on the path."""
    sys.path.insert(0, str(RECIPES))
    return importlib.import_module(name)


def read_tasks():
    list(decontaminate._from_hub("humaneval", DECONTAMINABLE["humaneval"]))


def read_problems():
    list(benchmark._hub_rows(DECONTAMINABLE["humaneval"].data))


def read_lineage():
    lineage.trace_lineage("org/no-model-of-this-name")


def read_model():
    recipes("models").skeleton("org/no-model-of-this-name", None)


def read_words():
    recipes("models").tokenizer(SimpleNamespace(model_name_or_path="org/no-model-of-this-name", model_revision="main"))


def read_rows():
    recipes("source").opened("org/no-rows-of-this-name", None, "train", frozenset())


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
        (read_lineage, "look at the network, the proxy and HF_ENDPOINT"),
        (read_model, "look at the network, the proxy and HF_ENDPOINT.*give a Hub id or a folder"),
        (read_words, "look at the network, the proxy and HF_ENDPOINT"),
        (read_rows, "look at the network, the proxy and HF_ENDPOINT.*give a folder built by codepref"),
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
def test_a_whole_run_works_from_copies(monkeypatch):
    """PEFT asks the Hub about the base at every checkpoint, and takes long to learn that nobody answers."""
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.delenv("HF_HUB_OFFLINE")  # which PEFT reads itself
    told, model = SimpleNamespace(dataset_name="org/rows@v1"), SimpleNamespace(model_name_or_path="org/model")
    with recipes("recipe").hub_or_copies(told, model):
        assert check_file_exists_on_hf_hub("org/model", "config.json") is None
        with pytest.raises(CodeprefError, match=f"{CLOSED} does not answer"):
            read_rows()  # nobody has asked for the offline mode that the clients are in
    assert sum(slept) == 0
    assert not constants.HF_HUB_OFFLINE and not datasets.config.HF_HUB_OFFLINE
    with (
        pytest.raises(CodeprefError, match=f"org/model: {CLOSED} does not answer"),
        recipes("recipe").hub_or_copies(told, model),
    ):
        hf_hub_download("org/model", "model.safetensors")
    with pytest.raises(OSError, match="No space left"), recipes("recipe").hub_or_copies(told, model):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.usefixtures("_away")
def test_a_name_with_many_silent_addresses_is_given_up_in_time(monkeypatch):
    """Where a network drops what goes out, every address of a name takes its time."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as held:
        address = full.getsockname()
        for _ in range(4):  # once this is full, nobody is answered any more
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        known = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address)] * 8
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: known)
        began = time.monotonic()
        assert not reach._answers(f"http://hub.invalid:{address[1]}")
        assert time.monotonic() - began < 2 * reach.PATIENCE_S


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
