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

from builders import codedpo
from codepref import config

from generate.fake_server import FakeServer, Fault  # isort: skip

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
        manifest = codedpo.build(settings, tmp_path / "run", quiet=True)
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
        codedpo.build(config.load(codedpo.Config, files(server.base_url)), tmp_path / "run", quiet=True)
    with FakeServer(text=answer) as other:
        codedpo.build(config.load(codedpo.Config, files(other.base_url)), tmp_path / "run", quiet=True)
        assert other.seen == []
