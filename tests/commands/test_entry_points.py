"""What a build says when codes do not define the function that their prompt names."""

import json

import pytest
from inprocess import run

RIGHT, WRONG = "def add(a, b):\n    return a + b", "def add(a, b):\n    return a - b"
OTHER = "def plus(a, b):\n    return a + b"


def built(tmp_path, method, codes, *more):
    key = "versions" if method == "codeflow" else "codes"
    row = {"prompt_id": "a", "prompt": "Write add(a, b).", "entry_point": "add", "tests": ["assert add(1, 2) == 3"]}
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps({**row, key: codes}) + "\n")
    source = "trajectories" if method == "codeflow" else "generations"
    words = ["--config", "recorded", "--set", f"{source}={path}", "--out", tmp_path / "run", "--workers", "1"]
    return run("build", method, *words, *more)


@pytest.mark.parametrize("method", ["codedpo", "codeflow"])
def test_none_of_all_is_an_error(tmp_path, method):
    ended = built(tmp_path, method, [OTHER, OTHER + "  # again"], "--quiet")
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert "2 of 2 codes do not define the entry point of their prompt, e.g. 'add'; set entry_point" in line


@pytest.mark.parametrize("method", ["codedpo", "codeflow"])
def test_some_are_told(tmp_path, method):
    ended = built(tmp_path, method, [OTHER, WRONG, RIGHT])
    assert ended.returncode == 0, ended.stderr
    assert "note: 1 of 3 codes do not define the entry point of their prompt, e.g. 'add'" in ended.stdout


def test_nothing_is_said_where_all_do(tmp_path):
    ended = built(tmp_path, "codedpo", [WRONG, RIGHT])
    assert ended.returncode == 0
    assert "entry point" not in ended.stdout
