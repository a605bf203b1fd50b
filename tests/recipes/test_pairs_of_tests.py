"""Pairs of tests are trained on like any others: a folder that CodeDPO built, by the name of its config."""

import json
from pathlib import Path

from builders_recordings import write
from building import build_in

from builders.codedpo import method as codedpo
from codepref.sandbox import Limits


def test_dpo_trains_on_the_config_tests(train, losses, tmp_path):
    recordings = write(tmp_path / "generations.jsonl")
    config = codedpo.Config(generations=str(recordings), limits=Limits(cpu_s=0.3), test_pairs=True)
    manifest = build_in(codedpo, config, tmp_path / "run", quiet=True)
    options = {"dataset_name": str(tmp_path / "run"), "dataset_config": "tests", "per_device_train_batch_size": 2}
    trainer = train("dpo", **options, max_steps=2, fenced=True, chosen_guard="off")
    assert len(losses(trainer)) == 2
    said = json.loads(Path(trainer.args.output_dir, "manifest.json").read_text())
    assert said["dataset"]["config"] == "tests"
    assert said["checks"]["lengths"]["rows"] == manifest["dataset"]["tests"]["rows"] > 1
    row = trainer.train_dataset[0]
    assert "Write tests" in row["prompt"]
    assert row["chosen"].startswith("```python\nassert f(")
