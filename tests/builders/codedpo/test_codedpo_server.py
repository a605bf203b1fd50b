"""The whole chain from prompts, asked from an OpenAI-compatible server on loopback."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter

import datasets
import pytest
import yaml
from building import build_in

from builders.codedpo import method as codedpo
from codepref import config
from codepref.errors import CodeprefError

from generate.fake_server import FakeServer, Fault  # isort: skip
from generate.quirks import LOG_IN, OWN_EMPTIES, UNKNOWN  # isort: skip

PROMPTS = [
    {"prompt_id": f"add{n}", "prompt": f"Write add{n}(x), which adds {n}.", "entry_point": f"add{n}"}
    for n in range(1, 5)
]


def answer(prompt, seed, _choice):
    """A model that is right two times out of three, in codes and in tests."""
    name = next(row["entry_point"] for row in PROMPTS if row["entry_point"] in prompt)
    number = int(name.removeprefix("add"))
    if "Do not solve it" in prompt:
        return f"```python\nassert {name}({seed % 50}) == {seed % 50 + number + (seed % 3 == 0)}\n```"
    return f"Sure:\n```python\ndef {name}(x):\n    return x + {number + seed % 3 // 2}\n```"


@pytest.fixture
def files(tmp_path):
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text("".join(json.dumps(row) + "\n" for row in PROMPTS))

    def write(base_url):
        server = {"model": "tiny", "base_url": base_url, "concurrency": 4}
        values = {
            "prompts": str(prompts),
            "codes_per_prompt": 8,
            "tests_per_prompt": 6,
            "shard_size": 2,
            "limits": {"cpu_s": 0.3},
            "generation": {"server": server, "sampling": {"temperature": 1.5, "max_tokens": 200}},
        }
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(values))
        return path

    return write


def test_pairs_from_a_server(files, tmp_path):
    with FakeServer(text=answer) as server:
        settings = config.load(codedpo.Config, files(server.base_url))
        manifest = build_in(codedpo, settings, tmp_path / "run", quiet=True)
    assert len(server.paid) == len(set(server.paid)) == 4 * (8 + 6)
    assert all(seen.body["temperature"] == 1.5 for seen in server.seen)
    rows = datasets.load_dataset(str(tmp_path / "run"), split="train")
    assert rows["prompt_id"] == [row["prompt_id"] for row in PROMPTS]
    for row in rows:
        number = row["prompt_id"].removeprefix("add")
        assert f"return x + {number}\n" in row["chosen"]
        assert f"return x + {number}\n" not in row["rejected"]
        assert row["generator"] == "tiny"
        assert isinstance(row["chosen_seed"], int)
    assert "127.0.0.1" not in json.dumps(manifest)
    text = (tmp_path / "run" / "README.md").read_text()
    assert "tiny" in text


def test_kill_9_while_asking_pays_nothing_twice(files, tmp_path, root):
    hold = threading.Event()
    with FakeServer(lambda k, body: Fault(hold=hold) if k >= 40 and not hold.is_set() else None, text=answer) as server:
        words = [sys.executable, "-m", "codepref.cli", "build", "codedpo", "--quiet"]
        words += ["--config", str(files(server.base_url)), "--out", str(tmp_path / "run")]
        process = subprocess.Popen(words, cwd=root)
        server.wait_until(lambda: server.arrived >= 42)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        answered = len(server.seen)
        assert 36 <= answered < 56
        hold.set()
        assert subprocess.run(words, cwd=root).returncode == 0
    times = Counter(server.paid)
    assert len(times) == 56
    # what was in flight when the client died was never received, so it is asked again; nothing else is
    assert sum(count - 1 for count in times.values()) <= 4
    assert len(datasets.load_dataset(str(tmp_path / "run"), split="train")) == 4


def test_where_the_model_is_served_does_not_matter(files, tmp_path):
    with FakeServer(text=answer) as server:
        build_in(codedpo, config.load(codedpo.Config, files(server.base_url)), tmp_path / "run", quiet=True)
    with FakeServer(text=answer) as other:
        build_in(codedpo, config.load(codedpo.Config, files(other.base_url)), tmp_path / "run", quiet=True)
        assert other.seen == []


def published(folder):
    """Bytes of everything a build leaves to be published."""
    paths = [path for path in folder.rglob("*") if path.is_file() and "stages" not in path.parts]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths if "requests" not in path.name}


def test_servers_come_and_go_and_the_bytes_are_those_of_one_server(files, tmp_path, root):
    with FakeServer(text=answer) as server:
        path = files(server.base_url)
        build_in(codedpo, config.load(codedpo.Config, path), tmp_path / "one", quiet=True)

    quick = {"retry-after-ms": "1"}
    words = [sys.executable, "-m", "codepref.cli", "build", "codedpo", "--config", str(path), "--workers", "1"]
    words += ["--out", str(tmp_path / "many"), "--set", "generation.server.max_retries=1"]
    env = os.environ | {"KEY_A": "secret-key-a", "KEY_B": "secret-key-b"}

    def run(*urls):
        keys = "generation.server.api_key_env=[KEY_A, KEY_B]"
        more = ["--set", f"generation.server.base_url=[{', '.join(urls)}]", "--set", keys]
        return subprocess.run([*words, *more], cwd=root, env=env, capture_output=True, text=True)

    def dies(key):
        fault = Fault(status=503, headers=quick, message=f"{key} overheated")
        return lambda k, body: fault if k >= 12 else None

    with FakeServer(dies("secret-key-a"), text=answer) as a, FakeServer(dies("secret-key-b"), text=answer) as b:
        first = run(a.base_url.replace("//", "//me:password@"), b.base_url)
        paid = a.paid + b.paid
    assert first.returncode == 2
    assert "HTTP 503 (*** overheated)" in first.stderr.splitlines()[-1]
    assert "kept" in first.stderr.splitlines()[-1]
    assert len(paid) == 24
    with FakeServer(text=answer, delay_s=0.01) as c, FakeServer(text=answer, delay_s=0.01) as d:
        second = run(c.base_url, d.base_url)
        assert {one.authorization for one in c.seen + d.seen} == {"Bearer secret-key-a", "Bearer secret-key-b"}
        paid += c.paid + d.paid
    assert second.returncode == 0, second.stderr
    assert len(paid) == len(set(paid)) == 56
    for server in (c, d):
        assert f"{server.base_url}  {len(server.paid)} answers" in second.stderr

    one, many = published(tmp_path / "one"), published(tmp_path / "many")
    for name in one:  # the manifest tells the other max_retries, and the card shows the manifest's configuration
        if name in ("manifest.json", "README.md"):
            one[name] = one[name].replace(b'"max_retries": 8', b'"max_retries": 1')
    assert one == many
    everything = b"".join(path.read_bytes() for path in (tmp_path / "many").rglob("*") if path.is_file())
    for secret in (b"secret-key", b"KEY_A", b"password", b"127.0.0.1"):
        assert secret not in everything
    assert "secret-key" not in first.stderr + second.stderr + first.stdout + second.stdout
    assert "password" not in first.stderr + second.stderr


def test_a_build_stops_at_max_cost_and_goes_on_with_more(files, tmp_path, capsys):
    prices = ["generation.price_per_million={prompt: 1000000, completion: 100000}"]  # an answer costs 7.5
    with FakeServer(text=answer, delay_s=0.01) as server:
        path = files(server.base_url)

        def build(folder, *more):
            settings = config.load(codedpo.Config, path, prices + list(more))
            return build_in(codedpo, settings, tmp_path / folder)

        with pytest.raises(CodeprefError, match=r"max_cost is reached: 1[0-9.]+ of 150.00 spent"):
            build("run", "generation.max_cost=150")
        assert 20 <= len(server.paid) <= 23
        spent = len(server.paid) * 7.5
        assert f"cost {spent:,.2f}\n" in capsys.readouterr().err
        build("run", "generation.max_cost=500")
        assert f"cost {420 - spent:,.2f}, 420.00 with all before" in capsys.readouterr().err
        assert len(server.paid) == len(set(server.paid)) == 56
        build("free")
    assert published(tmp_path / "run") == published(tmp_path / "free")


def test_max_cost_needs_a_server_and_prices(files, tmp_path):
    settings = config.load(codedpo.Config, files("http://127.0.0.1:9/v1"), ["generation.max_cost=1"])
    with pytest.raises(CodeprefError, match="max_cost' needs a 'server' and its 'price_per_million'"):
        build_in(codedpo, settings, tmp_path / "run", quiet=True)


BAD = [OWN_EMPTIES["refusal"][0], OWN_EMPTIES["length"][0], UNKNOWN["error"], LOG_IN, b'{"choices": []}']


def test_samples_without_an_answer_are_counted_and_the_build_ends(files, tmp_path, monkeypatch):
    """Of 200 samples about one in twenty has none, whatever the attempt."""
    monkeypatch.setattr("codepref.generate.server.SECOND_LOOK_S", 0.001)

    def plan(k, body):
        return Fault(raw=BAD[body["seed"] // 20 % len(BAD)]) if body["seed"] % 20 == 0 else None

    with FakeServer(plan, text=answer) as server:
        settings = config.load(
            codedpo.Config,
            files(server.base_url),
            ["codes_per_prompt=30", "tests_per_prompt=20"],
        )
        manifest = build_in(codedpo, settings, tmp_path / "run", quiet=True)
    (samples,) = (stage for stage in manifest["stages"] if stage["stage"] == "samples")
    counts = {item["kind"]: item["count"] for item in samples["excluded"] if item["rule"] == "no answer"}
    assert 0 < sum(counts.values()) < 40
    found = [json.loads(line) for line in (tmp_path / "run" / "exclusions.jsonl").read_text().splitlines()]
    details = {item["detail"] for item in found if item["rule"] == "no answer"}
    assert len(details & {"refusal: I can't help with that.", "length: thoughts, but no answer"}) >= 1
    assert "no answer" in (tmp_path / "run" / "README.md").read_text()
    assert len(datasets.load_dataset(str(tmp_path / "run"), split="train")) == 4
