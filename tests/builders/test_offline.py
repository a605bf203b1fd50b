"""Samples by Ray Data: what is asked, what is written, and a real run where Ray is installed."""

import json
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from builders import offline
from builders.chain.ask import generated_stage, prompt_stage, rows_of
from builders.codedpo import method as codedpo
from codepref import config
from codepref.errors import CodeprefError
from codepref.generate.recorded import read_recordings
from codepref.records import Samples
from codepref.stages import Runner
from codepref.store import Store

from generate.fake_server import FakeServer, Fault  # isort: skip

pytestmark = pytest.mark.long


def text(prompt, seed, _choice):
    return f"{prompt}|{seed}"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "prompts.jsonl"
    rows = [
        {"prompt_id": f"p{i}", "prompt": f"Write f{i}(x).", "entry_point": f"f{i}", "source": "s"} for i in (2, 0, 1)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def write(base_url="http://127.0.0.1:9/v1", **more):
        server = {"model": "m", "base_url": base_url, "max_retries": 0, **more}
        generation = {"server": server, "sampling": {"temperature": 0.7, "stop": ["END"]}}
        values = {"prompts": str(path), "codes_per_prompt": 3, "tests_per_prompt": 2, "seed": 5}
        target = tmp_path / "config.yaml"
        target.write_text(yaml.safe_dump({**values, "generation": generation}))
        return target

    return write


def settings(path, *more):
    return config.load(codedpo.Config, path, more)


def test_prompts_and_seeds_are_those_of_a_build(file, tmp_path):
    """What is asked here, answered by the same model, gives the samples that a build asks for itself."""
    with FakeServer(text=text) as server:
        wanted = settings(file(server.base_url))
        runner = Runner(Store(tmp_path / "run"), quiet=True)
        source = prompt_stage(runner, wanted.prompts, 32)
        built = list(rows_of(generated_stage(runner, source, wanted.generation, codes=3, tests=2, seed=5), Samples))
        bodies = [seen.body for seen in server.seen]
    asked = [
        row
        for one in rows_of(source, Samples)
        for row in offline.to_ask(offline.plain_row(one), wanted, wanted.generation)
    ]
    answered = [
        {**row, "text": text(row["messages"][0]["content"], row["sampling_params"]["seed"], 0)} for row in asked
    ]
    out = tmp_path / "samples.jsonl"
    out.write_text("".join(offline.recorded_lines(iter(answered), "m")))
    recordings, _ = read_recordings(out)
    assert [(r.prompt_id, r.prompt, r.entry_point, r.source, r.generator) for r in recordings] == [
        (row.prompt_id, row.prompt, row.entry_point, row.source, row.generator) for row in built
    ]
    for recording, row in zip(recordings, built, strict=True):
        assert recording.codes == tuple(sample.text for sample in row.codes)
        assert recording.tests == tuple(sample.text for sample in row.tests)
    sent = [{"model": "m", "n": 1, "messages": row["messages"], **row["sampling_params"]} for row in asked]
    by_seed = {body["seed"]: body for body in bodies}
    assert all(json.loads(json.dumps(body)) == by_seed[body["seed"]] for body in sent)


def test_half_a_line_is_cut_off_and_asked_again(tmp_path):
    out = tmp_path / "samples.jsonl"
    assert offline.finished(out) == set()
    out.write_text('{"prompt_id": "a"}\n{"prompt_id": "b"}\n{"prompt_i')
    assert offline.finished(out) == {"a", "b"}
    assert out.read_text() == '{"prompt_id": "a"}\n{"prompt_id": "b"}\n'


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["prompts=null", "generations=x.jsonl"], "needs 'prompts'"),
        (["generation.server=null"], "either 'local' or 'server'"),
        (["generation.local={model: m}"], "either 'local' or 'server'"),
        (["generation.server.base_url=[http://a/v1, http://b/v1]"], "for several use codepref build"),
        (["generation.server=null", "generation.local={model: m, adapter: a}"], "merge the adapter"),
    ],
)
def test_what_does_not_fit_is_said(file, tmp_path, more, words):
    with pytest.raises(CodeprefError, match=words):
        offline.answer_prompts(settings(file(), *more), tmp_path / "out.jsonl", 1, 1)


def sends(rows, answers):
    """Stands for the process that speaks to Ray: sends some rows, `...` for silence, a number to end at once."""
    for row in rows:
        if row is ...:
            time.sleep(1000)
        if isinstance(row, int):
            os._exit(row)
        answers.send(row)


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (..., r"no sample for 0\.75 minutes.*programs want to run on"),
        ("no memory", "Ray gave up: no memory"),
        (7, "Ray ended its process, exit code 7"),
        (None, None),
    ],
)
def test_rows_come_in_time_or_the_run_ends(last, words):
    begun = time.monotonic()
    rows = offline.received(sends, ([{"row": 1}, {"row": 2}, last],), 45)
    assert [next(rows), next(rows)] == [{"row": 1}, {"row": 2}]
    if words is None:
        assert list(rows) == []
    else:
        with pytest.raises(CodeprefError, match=words):
            next(rows)
    assert time.monotonic() - begun < 150
    assert not multiprocessing.active_children()


def ray_run(root, out, path, *more, timeout=300, **env):
    """The program with a Ray of its own, ended with all it started when it takes longer than `timeout` seconds."""
    pytest.importorskip("ray", reason="Ray is not installed (pip install 'codepref[ray]')")
    words = [sys.executable, "-m", "builders.offline", "--out", str(out), "--config", str(path), *more]
    env = os.environ | {
        "RAY_ADDRESS": "local",
        "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
        "OPENAI_API_KEY": "k-secret",
        **env,
    }  # fmt: skip
    return subprocess.run(words, cwd=root, env=env, capture_output=True, text=True, timeout=timeout)


def test_workers_that_never_start_end_the_run(file, tmp_path, root):
    """As on a busy machine, where Ray kills those that have not started in time, and starts others, for ever."""
    out = tmp_path / "samples.jsonl"
    out.write_text('{"prompt_id": "p0", "prompt": "x", "codes": [], "tests": []}\n')
    hasty = {"RAY_worker_register_timeout_seconds": "1", "RAY_worker_niceness": "19"}
    ended = ray_run(root, out, file(), "--patience", "0.4", **hasty)
    assert ended.returncode == 2
    last = ended.stderr.splitlines()[-1]
    assert "offline: no sample for 0.4 minutes" in last or "offline: Ray gave up" in last  # Ray may lose patience first
    assert "run again to go on" in last
    assert offline.finished(out) == {"p0"}


def ray_workers():
    """Niceness of the processes in which a Ray runs tasks and actors."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cmdline").read_bytes().startswith(b"ray::MapWorker"):
                found.append(os.getpriority(os.PRIO_PROCESS, int(entry.name)))
        except OSError:  # it has ended
            continue
    return found


def test_ray_asks_a_server_and_a_build_takes_the_samples(file, tmp_path, root):
    broken = [True]
    niceness = []
    out = tmp_path / "samples.jsonl"

    def run(path):
        return ray_run(root, out, path)

    def plan(k, body):
        niceness.extend(ray_workers())
        return Fault(status=400, message="too long") if broken[0] and "f2" in body["messages"][-1]["content"] else None

    with FakeServer(plan, text=text) as server:
        path = file(server.base_url)
        first = run(path)
        assert first.returncode == 2
        assert "Ray gave up: " in first.stderr.splitlines()[-1]
        kept = offline.finished(out)
        broken[0] = False
        second = run(path)
        assert second.returncode == 0, second.stderr[-2000:]
        assert {seen.authorization for seen in server.seen} == {"Bearer k-secret"}
        third = run(path)
        assert third.stdout.startswith("0 prompts")
    assert kept <= {"p0", "p1"}
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert own in niceness, "beside other programs Ray's workers would starve"
    recordings, _ = read_recordings(out)
    assert [(r.prompt_id, len(r.codes), len(r.tests)) for r in recordings] == [(f"p{i}", 3, 2) for i in range(3)]
    assert len({code for r in recordings for code in r.codes}) == 9
    assert "k-secret" not in out.read_text() + first.stderr + second.stderr
