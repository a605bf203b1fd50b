"""The same run packed and padded ends in the same model: its programs are the same, so pass@1 is."""

import itertools
import json
from pathlib import Path

import pytest

from benchmarks import packed_run
from codepref.generate.tiny.tasks import tasks

RECIPES = Path(__file__).parents[2] / "recipes"


def test_a_run_packed_and_padded(tmp_path, monkeypatch):
    pytest.importorskip("trl", reason="the training stack is not installed (make train)")
    monkeypatch.syspath_prepend(str(RECIPES))
    monkeypatch.setenv("TQDM_DISABLE", "1")
    build = tasks("build", 9, 0)
    pairs = [
        {"prompt": task.prompt, "chosen": task.reference, "rejected": other.reference}
        for task, other in itertools.pairwise(build)
    ]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    changes = ["--per_device_train_batch_size", "4", "--chosen_guard", "off", "--learning_rate", "1e-3"]
    padded, packed = (packed_run.run("dpo", str(path), packing, 12, changes) for packing in ("none", "prefix"))
    found = packed_run.compare(padded, packed)
    assert found["steps"] == 2
    assert max(found["differences"].values()) < 1e-4
    assert any(packed.right)
    assert padded.right == packed.right
    assert padded.texts == packed.texts
