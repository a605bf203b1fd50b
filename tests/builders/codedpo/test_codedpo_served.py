"""The whole chain from source code, asked from a server process that runs a real (tiny, random) model.

Its vocabulary holds whole lines of answers, so that some of what it says can be used and the rest falls under a rule.
"""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter

import pytest
import yaml

from builders_seeds import SUBJECTS, task_text, write_seeds  # isort: skip
from generate.tiny_model import make_model  # isort: skip

PHRASES = [
    *("- adding a number\n", "- plain arithmetic\n"),
    *(task_text(n) for n in SUBJECTS),
    *(f"```python\ndef move_{n}(x):\n    return x + {n + off}\n```\n" for n in SUBJECTS for off in (0, 1)),
    *(f"```python\nassert move_{n}({x}) == {x + n}\n```\n" for n in SUBJECTS for x in (1, 20)),
]
HOLD = 14
"""Texts before the server waits: in the middle of the chain."""


@pytest.fixture
def server(tmp_path, root):
    model = make_model(tmp_path / "tiny", context=4096, sharp=12.0, phrases=PHRASES)
    words = [root / "tests/generate/model_server.py", model, tmp_path / "log.jsonl", HOLD, tmp_path / "go"]
    process = subprocess.Popen([sys.executable, *map(str, words)], stdout=subprocess.PIPE, text=True)
    yield process.stdout.readline().strip()
    process.kill()
    process.communicate()


def generated(tmp_path):
    """What the server was paid for: (prompt, seed) of every text."""
    path = tmp_path / "log.jsonl"
    return [tuple(json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def kept(tmp_path):
    """Answers that the build has stored; one that the server wrote down a moment ago may still be on its way."""
    path = tmp_path / "run" / "requests.sqlite"
    if len(generated(tmp_path)) < HOLD or not path.exists():
        return 0
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return database.execute("SELECT count(*) FROM answers").fetchone()[0]


def command(tmp_path, base_url):
    sampling = {"temperature": 1.0, "max_tokens": 8}
    values = {
        "seeds": str(write_seeds(tmp_path / "seeds.jsonl")),
        "tasks_per_seed": 2,
        "codes_per_prompt": 6,
        "tests_per_prompt": 6,
        "shard_size": 2,
        "limits": {"cpu_s": 0.3},
        "generation": {
            "server": {"model": "tiny", "base_url": base_url, "concurrency": 3},
            "sampling": sampling,
            "task_sampling": sampling,
        },
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(values))
    words = [sys.executable, "-m", "codepref.cli", "build", "codedpo", "--quiet", "--workers", "1"]
    return [*words, "--config", str(path), "--out", str(tmp_path / "run")]


def test_killed_in_the_middle_and_nothing_paid_twice(server, tmp_path, root):
    words = command(tmp_path, server)
    process = subprocess.Popen(words, cwd=root)
    while kept(tmp_path) < HOLD:
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert len(generated(tmp_path)) == HOLD
    assert not (tmp_path / "run" / "manifest.json").exists()
    (tmp_path / "go").touch()
    result = subprocess.run(words, cwd=root, capture_output=True, text=True)
    # a random model may say nothing that makes a pair: then all of it is counted, and that is said
    ended = result.returncode, "not one row came out" in result.stderr
    assert ended in ((0, False), (2, True)), result.stderr
    paid = generated(tmp_path)
    assert max(Counter(paid).values()) == 1
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    rows = {stage["stage"]: stage["rows_out"] for stage in manifest["stages"]}
    assert rows["seeds"] == 4
    # every question was asked, those again whose answer was empty
    assert len(paid) >= 4 + 2 * rows["concepts"] + 12 * rows["unique"] > HOLD
    left_out = {(item["kind"], item["rule"]) for stage in manifest["stages"] for item in stage["excluded"]}
    assert left_out & {("seed", "no concepts"), ("seed", "no task"), ("code", "unparseable"), ("test", "no call")}
    assert subprocess.run(words, cwd=root, capture_output=True).returncode == result.returncode
    assert generated(tmp_path) == paid
