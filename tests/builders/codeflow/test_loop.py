"""The live loop against an OpenAI-compatible server on loopback: killed, resumed, paid once."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter

import datasets
import pytest
import yaml
from building import build_in

from builders.codeflow import method as codeflow
from codepref import config

from generate.fake_server import FakeServer, Fault  # isort: skip

PROMPTS = [
    {"prompt_id": f"add{n}", "prompt": f"Write add{n}(x), which adds {n}.", "entry_point": f"add{n}"}
    for n in range(1, 6)
]


def answer(prompt, _seed, _choice):
    """A model whose first program adds one too much for each round it needs; add5 needs more than it is given."""
    name = re.search(r"add\d", prompt)[0]
    number = int(name.removeprefix("add"))
    if "Do not solve it" in prompt:
        return f"```python\nassert {name}(1) == {number + 1}\nassert {name}(5) == {number + 5}\n```"
    shown = re.search(r"Your program:.*return x \+ (\d+)", prompt, re.S)
    if shown is None:
        return f"```python\ndef {name}(x):\n    return x + {number + number - 1}\n```"
    assert re.search(rf"{name}\(1\) gives {int(shown[1]) + 1}\n", prompt)  # the report is in the request
    return f"One too much.\n```python\ndef {name}(x):\n    return x + {int(shown[1]) - 1}\n```"


@pytest.fixture
def files(tmp_path):
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text("".join(json.dumps(row) + "\n" for row in PROMPTS))

    def write(base_url):
        values = {
            "prompts": str(prompts),
            "rounds": 3,
            "shard_size": 3,
            "limits": {"cpu_s": 0.3},
            "gates": {"near_duplicates": None},
            "generation": {"server": {"model": "tiny", "base_url": base_url, "concurrency": 2}},
        }
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(values))
        return path

    return write


def versions(folder):
    rows = datasets.load_dataset(str(folder), "trajectories", split="train")
    return {row["prompt_id"]: [version["code"].strip()[-2:].strip() for version in row["versions"]] for row in rows}


WANTED = {"add1": 1, "add2": 2, "add3": 3, "add4": 4, "add5": 4}
"""Versions of each prompt."""


def test_kill_9_in_a_round_pays_nothing_twice(files, tmp_path, root):
    hold = threading.Event()

    def fault(k, _body):
        return Fault(hold=hold) if k >= 14 and not hold.is_set() else None  # 10 for round 0, 4 for round 1, then 3

    with FakeServer(fault, text=answer) as server:
        words = [sys.executable, "-m", "codepref.cli", "build", "codeflow", "--quiet", "--workers", "1"]
        words += ["--config", str(files(server.base_url)), "--out", str(tmp_path / "run")]
        process = subprocess.Popen(words, cwd=root)
        server.wait_until(lambda: server.arrived >= 15, timeout_s=180)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        answered = len(server.seen)
        assert answered == 14
        hold.set()
        assert subprocess.run(words, cwd=root).returncode == 0
        times = Counter(server.paid)
        whole = 10 + 4 + 3 + 2
        assert len(times) == whole
        assert sum(count - 1 for count in times.values()) <= 2  # what was in flight when the client died
        found = versions(tmp_path / "run")
        assert {name: len(codes) for name, codes in found.items()} == WANTED
        assert found["add4"] == ["7", "6", "5", "4"]
        before = len(server.seen)
        again = build_in(codeflow, config.load(codeflow.Config, files(server.base_url)), tmp_path / "again", quiet=True)
        assert len(server.seen) == before + whole
        assert json.loads((tmp_path / "run" / "manifest.json").read_text()) == again  # hashes of all files included
        # one round more asks for that round alone
        more = config.load(codeflow.Config, files(server.base_url), ["rounds=4"])
        build_in(codeflow, more, tmp_path / "again", quiet=True)
        assert len(server.seen) == before + whole + 1
        refining = [
            seen.body for seen in server.seen[before:] if "Your program:" in seen.body["messages"][-1]["content"]
        ]
        assert len({body["seed"] for body in refining}) == len(refining) == 4 + 3 + 2 + 1
    pairs = datasets.load_dataset(str(tmp_path / "run"), "pairs", split="train")
    assert pairs["prompt_id"] == ["add2", "add3", "add4"]
    first = datasets.load_dataset(str(tmp_path / "run"), "trajectories", split="train")[1]["versions"][0]
    assert first["completion_tokens"] > 0
    assert "unsolved" in (tmp_path / "run" / "exclusions.jsonl").read_text()
