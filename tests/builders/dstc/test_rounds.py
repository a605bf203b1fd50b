"""On-policy rounds: a real training command, a real server on loopback that knows the models apart."""

import fcntl
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import datasets
import pytest
import yaml
from building import build_in

from builders.chain.ask import Generation, prompt_stage, rows_of
from builders.dstc import method as dstc
from builders.dstc import rounds
from builders.dstc.method import Config
from codepref.errors import CodeprefError
from codepref.generate import Sampling
from codepref.generate.local import LocalConfig
from codepref.generate.server import ServerConfig
from codepref.records import Samples, to_table
from codepref.sandbox import Limits
from codepref.stages import Runner
from codepref.store import Shard, Store

from generate.fake_server import FakeServer, Fault, answer  # isort: skip

PROMPTS = [
    {"prompt_id": f"add{n}", "prompt": f"Write add{n}(x), which adds {n}.", "entry_point": f"add{n}", "licence": "MIT"}
    for n in range(1, 4)
]
TRAIN = """
import json, pathlib, sys, time
dataset, config, adapter, model, policy, number = sys.argv[1:7]
here = pathlib.Path(__file__).parent
with (here / "log").open("a") as log:
    log.write(json.dumps(sys.argv[1:7]) + chr(10))
while (here / "wait").exists():
    time.sleep(0.02)
if (here / "fail").exists():
    sys.exit(3)
assert list((pathlib.Path(dataset) / config).glob("*.parquet")) and (pathlib.Path(dataset) / "README.md").exists()
if not (here / "forget").exists():
    folder = pathlib.Path(adapter)
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": model, "round": number}))
"""
RIGHT = {"base": 2, "policy-1": 4, "policy-2": 5}
"""How many of six seeds give a right code."""


def says(model, prompt, seed):
    """What a model says: the more it was trained, the oftener it is right."""
    name = next(row["entry_point"] for row in PROMPTS if f"{row['entry_point']}" in prompt)
    number = int(name.removeprefix("add"))
    if "Do not solve it" in prompt:
        return f"```python\nassert {name}({seed % 50}) == {seed % 50 + number}\n```"
    return f"```python\ndef {name}(x):\n    # by {model}\n    return x + {number + max(0, seed % 6 - RIGHT[model] + 1)}\n```"


def plan(_, body):
    def text(prompt, seed, choice):
        return says(body["model"], prompt, seed)

    return Fault(raw=json.dumps(answer(body, Fault(), "/v1/chat/completions", text)).encode())


@pytest.fixture
def training(tmp_path):
    """The folder of a training script, and its command."""
    folder = tmp_path / "training"
    folder.mkdir()
    (folder / "train.py").write_text(TRAIN)
    places = "{dataset} {config} {adapter} {model} {policy} {round}"
    return folder, tuple(shlex.split(f"{sys.executable} {folder / 'train.py'} {places}"))


def settings(tmp_path, server, train, number=3):
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text("".join(json.dumps(row) + "\n" for row in PROMPTS))
    return Config(
        prompts=str(prompts),
        codes_per_prompt=8,
        tests_per_prompt=4,
        shard_size=2,
        limits=Limits(cpu_s=0.3),
        generation=Generation(
            server=ServerConfig("base", server.base_url, concurrency=4), sampling=Sampling(temperature=0.9)
        ),
        rounds=number,
        train=train,
        served_as="policy-{round}",
    )


def log_of(folder):
    return [json.loads(line) for line in (folder / "log").read_text().splitlines()]


def test_each_round_is_sampled_from_what_was_trained_on_the_one_before(tmp_path, training):
    folder, train = training
    out = tmp_path / "run"
    with FakeServer(plan) as server:
        config = settings(tmp_path, server, train)
        manifest = build_in(dstc, config, out, quiet=True)
        asked, trained = len(server.seen), log_of(folder)
        assert build_in(dstc, config, out, quiet=True) == manifest  # nothing is asked, nothing trained again
        assert (len(server.seen), log_of(folder)) == (asked, trained)
    names = [f"round{n}_{kind}" for n in (1, 2, 3) for kind in ("dpo", "kto")]
    assert list(manifest["dataset"]) == names
    for number, model in enumerate(("base", "policy-1", "policy-2"), 1):
        rows = datasets.load_dataset(str(out), f"round{number}_dpo", split="train")
        assert set(rows["round"]) == {number}
        assert set(rows["generator"]) == {model}
        assert set(rows["temperature"]) == {0.9}
        assert set(rows["licence"]) == {"MIT"}
        assert all(f"# by {model}" in code for row in rows for code in row["codes"])
        assert len(datasets.load_dataset(str(out), f"round{number}_kto", split="train")) == 2 * len(rows)
    stages = [stage["stage"] for stage in manifest["stages"]]
    assert [name for name in stages if name.endswith(("samples", "train"))] == [
        *("samples", "train", "round2_samples", "round2_train", "round3_samples")
    ]
    assert [line[1:2] + line[3:] for line in trained] == [
        ["round1_dpo", "base", "base", "1"],
        ["round2_dpo", "base", "policy-1", "2"],
    ]
    adapters = [line[2] for line in trained]
    assert sorted(str(path) for path in (out / "adapters").glob("round*")) == sorted(adapters)
    card = (out / "README.md").read_text()
    assert all(f"### Round {n}\n\nSampled from `round{n - 1}-" in card for n in (2, 3))
    assert str(tmp_path) not in json.dumps(manifest) + card


def test_a_failed_training_loses_nothing(tmp_path, training):
    folder, train = training
    (folder / "fail").touch()
    out = tmp_path / "run"
    with FakeServer(plan) as server:
        config = settings(tmp_path, server, train, number=2)
        with pytest.raises(CodeprefError, match="round 1: training ended with exit status 3; mend it and build again"):
            build_in(dstc, config, out, quiet=True)
        asked = len(server.seen)
        assert len(datasets.load_dataset(str(out), "round1_dpo", split="train")) == 3  # what there is can be used
        (folder / "fail").unlink()
        (folder / "forget").touch()
        with pytest.raises(CodeprefError, match=r"round 1: training left no adapter in .*adapters/round1-"):
            build_in(dstc, config, out, quiet=True)
        (folder / "forget").unlink()
        build_in(dstc, config, out, quiet=True)
        assert len(server.seen) == 2 * asked  # the first round was asked for once
        assert len(set(server.paid)) == 2 * asked  # the same prompts, other seeds
    adapter = next((out / "adapters").glob("round1-*")) / "adapter_config.json"
    adapter.write_text("{}")
    with pytest.raises(CodeprefError, match="the adapter of round 1 was removed or changed; restore it, or delete"):
        build_in(dstc, config, out, quiet=True)


def test_a_round_that_was_interrupted_goes_on(tmp_path, training):
    folder, train = training
    out = tmp_path / "run"
    down = [True]

    def broken(index, body):
        if down[0] and body["model"] == "policy-1" and "add3" in json.dumps(body):
            return Fault(status=401, message="no more")
        return plan(index, body)

    with FakeServer(broken) as server:
        config = settings(tmp_path, server, train, number=2)
        with pytest.raises(CodeprefError, match="no more"):
            build_in(dstc, config, out, quiet=True)
        down[0] = False
        manifest = build_in(dstc, config, out, quiet=True)
        good = [(seen.body["model"], json.dumps(seen.body)) for seen in server.seen if seen.status == 200]
    assert len(good) == len(set(good)) == 2 * 3 * (8 + 4)  # no answer was paid for twice
    assert len(log_of(folder)) == 1
    assert manifest["dataset"]["round2_dpo"]["rows"]


def test_training_that_outlives_a_killed_build_is_not_started_again_beside_itself(tmp_path, training, root):
    folder, train = training
    (folder / "wait").touch()
    out = tmp_path / "run"
    with FakeServer(plan) as server:
        config = settings(tmp_path, server, train, number=2)
        values = {
            **{key: getattr(config, key) for key in ("prompts", "codes_per_prompt", "tests_per_prompt", "shard_size")},
            **{key: getattr(config, key) for key in ("rounds", "served_as")},
            "train": list(train),
            "limits": {"cpu_s": 0.3},
            "generation": {
                "server": {"model": "base", "base_url": server.base_url, "concurrency": 4},
                "sampling": {"temperature": 0.9},
            },
        }
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(values))
        words = [sys.executable, "-m", "builders.dstc", "--config", str(tmp_path / "config.yaml"), "--out", str(out)]
        process = subprocess.Popen([*words, "--quiet", "--workers", "1"], cwd=root)
        while not (folder / "log").exists():
            assert process.poll() is None
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with pytest.raises(CodeprefError, match="training that an earlier build started is still running"):
            build_in(dstc, config, out, quiet=True)
        (folder / "wait").unlink()
        lock = (out / "adapters" / ".lock").open()
        fcntl.flock(lock, fcntl.LOCK_EX)  # waits for the orphan
        lock.close()
        shutil.rmtree(next((out / "adapters").glob("round1-*")))
        build_in(dstc, config, out, quiet=True)
        assert len(set(server.paid)) == len(server.paid) == 2 * 3 * (8 + 4)
    assert len(log_of(folder)) == 2


def test_another_adapter_is_another_round(tmp_path, training):
    """Answers of an earlier adapter that was served under the same name are not taken for those of this one."""
    _, train = training
    out = tmp_path / "run"
    with FakeServer(plan) as server:
        config = settings(tmp_path, server, train, number=2)
        build_in(dstc, config, out, quiet=True)
        asked = len(server.seen)
        build_in(dstc, replace(config, train=(*train, "--more")), out, quiet=True)  # the same bytes come out
        assert len(server.seen) == asked
        script = train[1]
        (tmp_path / "training" / "train.py").write_text(TRAIN.replace('"round": number', '"round": "other"'))
        assert script.endswith("train.py")
        build_in(dstc, replace(config, train=(*train, "--other")), out, quiet=True)
        assert len(server.seen) == asked + asked // 2


def test_one_round_first_then_more(tmp_path, training):
    _, train = training
    out = tmp_path / "run"
    with FakeServer(plan) as server:
        build_in(dstc, settings(tmp_path, server, train, number=1), out, quiet=True)
        assert {path.name for path in out.glob("*_dpo")} == set()
        asked = len(server.seen)
        manifest = build_in(dstc, settings(tmp_path, server, train, number=2), out, quiet=True)
        assert len(server.seen) == 2 * asked
    assert list(manifest["dataset"]) == ["round1_dpo", "round1_kto", "round2_dpo", "round2_kto"]
    assert not (out / "dpo").exists()


SERVER = Generation(server=ServerConfig("base", "http://localhost:1/v1"))


@pytest.mark.parametrize(
    ("generation", "train", "said"),
    [
        (None, ("x", "{adapter}"), "rounds above 1 need generation.server or generation.local"),
        (Generation(script="x"), ("x", "{adapter}"), "rounds above 1 need generation.server or generation.local"),
        (SERVER, ("x",), r"train must name \{adapter\}"),
        (SERVER, (), r"train must name \{adapter\}"),
        (SERVER, ("x", "{adaptor}", "{adapter}"), r"train: no place 'adaptor'; known: \{dataset\}, "),
        (SERVER, ("x", "{adapter}", "{"), "train: no place"),
    ],
)
def test_rounds_that_could_not_go_on_are_refused_first(tmp_path, generation, train, said):
    config = Config(prompts="none.jsonl", generation=generation, rounds=2, train=train)
    with pytest.raises(CodeprefError, match=said):
        build_in(dstc, config, tmp_path / "run", quiet=True)
    with pytest.raises(CodeprefError, match=said):
        rounds.check_rounds(generation, train)


def test_a_command_that_is_not_there(tmp_path):
    with FakeServer(plan) as server:
        config = settings(tmp_path, server, ("no-such-program", "{adapter}"), number=2)
        with pytest.raises(CodeprefError, match="round 1: training command no-such-program: No such file"):
            build_in(dstc, config, tmp_path / "run", quiet=True)


def test_a_local_model_gets_the_adapter(tmp_path):
    generation = Generation(local=LocalConfig("org/base"))
    adapter = rounds.Adapter(1, "round1-abc", "0" * 64)
    later = rounds.sampling_from(generation, "unused", adapter, tmp_path)
    assert later.local == LocalConfig("org/base", adapter=str(tmp_path / "adapters" / "round1-abc"))
    assert rounds.name_of_model(generation) == "org/base"
    assert rounds.name_of_model(later) == later.local.adapter


def test_prompts_of_later_rounds_keep_examples_and_that_there_is_no_entry_point(tmp_path):
    runner = Runner(Store(tmp_path), quiet=True)
    rows = [Samples("a", "Add.", "", (), ()), Samples("f", "Write f.", "f", (), (), examples=("assert f(1) == 2",))]
    stage = runner.source("samples", iter([Shard(to_table(rows, Samples))]), {}, 2)
    path = rounds.write_round_prompts(tmp_path, stage)
    found = list(rows_of(prompt_stage(runner, path, 9), Samples))
    assert [(row.prompt_id, row.entry_point) for row in found] == [("a", ""), ("f", "f")]
    assert [row.examples for row in found] == [(), ("assert f(1) == 2",)]


def test_the_default_command_names_what_it_needs():
    rounds.check_rounds(SERVER, Config().train)
    line = " ".join(Config().train)
    assert all(f"={{{name}}}" in line for name in ("dataset", "config", "adapter", "model"))


def test_the_dry_run_tells_of_rounds(tmp_path):
    with FakeServer(plan) as server:
        text = str(dstc.plan(settings(tmp_path, server, ("train", "{adapter}"), number=3)))
    assert text.endswith("all of this in each of 3 rounds, with 2 trainings between them")
