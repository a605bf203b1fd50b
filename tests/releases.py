"""Folders to publish, made without a sandbox: small datasets by the real writer, a small adapter."""

import json
from dataclasses import dataclass

from codepref import cli
from codepref.publish import cards, dataset
from codepref.records import to_table
from codepref.store import Shard, Store

REPO = "org/pairs"


@dataclass(frozen=True)
class Pair:
    prompt_id: str
    prompt: str
    chosen: str
    rejected: str
    confidence: float
    licence: str | None = "MIT"
    generator: str | None = "a model"


@dataclass(frozen=True)
class Label:
    prompt_id: str
    prompt: str
    completion: str
    label: bool
    licence: str | None = "MIT"
    generator: str | None = "a model"


CARD = cards.Card("Small pairs", "Made for tests.", "By hand.", "@misc{small}", ("dpo", "preference"))


@dataclass(frozen=True)
class Config:
    seed: int = 7
    generation: dict | None = None


def pairs(count=3, word="x"):
    return [
        Pair(f"p{i}", f"Write f{i}.", f"def f{i}():\n    return {word!r}\n", "pass", i / count) for i in range(count)
    ]


def labels(count=2):
    return [Label(f"p{i}", f"Write f{i}.", f"def f{i}(): ...\n", bool(i % 2)) for i in range(count)]


def build(root, config=None, **parts):
    """A dataset folder: config name -> rows. Returns its manifest."""
    store = Store(root)
    stages = {}
    for name, rows in parts.items():
        stage = store.stage(name, {"rows": len(rows)})
        stage.write(0, Shard(to_table(rows, type(rows[0]))))
        known = {"stage": name, "key": stage.key, "depends": stage.depends, "shards": 1, "excluded": []}
        stage.finish({**known, "rows_in": len(rows), "rows_out": len(rows)})
        stages[name] = (stage, type(rows[0]))
    chain = [stage for stage, _ in stages.values()]
    return dataset.publish_locally(store, "small", config or Config(), chain, CARD, stages)


MODEL_CARD = """---
library_name: peft
base_model: org/base
datasets:
- org/pairs
tags:
- code
---

# Small adapter

```python
model = PeftModel.from_pretrained(base, "PATH_OR_HUB_ID")
```

## Limits

- It is small.
"""


def safetensors(tensor=bytes(64)):
    header = json.dumps({"a": {"dtype": "U8", "shape": [len(tensor)], "data_offsets": [0, len(tensor)]}}).encode()
    return len(header).to_bytes(8, "little") + header + tensor


def adapter(root, base="org/base", dataset=None):
    """The folder of a training run, with a checkpoint that is not to be published."""
    (root / "checkpoint-2").mkdir(parents=True)
    (root / "checkpoint-2" / "optimizer.pt").write_bytes(b"state")
    (root / "training_args.bin").write_bytes(b"pickle")
    (root / "README.md").write_text(MODEL_CARD)
    (root / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base, "peft_type": "LORA"}))
    (root / "adapter_model.safetensors").write_bytes(safetensors())
    manifest = {
        "method": "dpo",
        "summary": "Direct preference optimisation.",
        "citation": "",
        "base": {"name": base, "revision": "abc", "dtype": "bfloat16", "local": False},
        "dataset": {"name": "org/pairs", "local": False, **(dataset or {})},
        "versions": {"codepref": "0.1.0", "trl": "1.16.0"},
    }
    (root / "manifest.json").write_text(json.dumps(manifest))
    return root


def results(path, value=0.5, model=None, adapter=None, drawn=(1, 0.0), problems=164):
    """A `results.json` as `codepref evaluate` writes it."""
    interval = {"value": value, "low": value - 0.1, "high": value + 0.1}
    found = {
        "schema": 1,
        "benchmark": "humaneval_plus",
        "problems": problems,
        "problems_of_benchmark": 164,
        "score": {"pass@1": interval},
        "base": {"pass@1": {"value": 0.75, "low": 0.7, "high": 0.8}},
        "model": model,
        "adapter": adapter,
        "generation": {"name": model, "n": drawn[0], "temperature": drawn[1]} if drawn else None,
        "fingerprint": {"id": "0123456789abcdef", "dataset": "x"},
        "date": "2026-11-21",
        "notes": ["no task of the benchmark is in the training data"],
    }
    path.write_text(json.dumps(found))
    return path


def publish(folder, *more, repo=REPO):
    return cli.main(["publish", "dataset", str(folder), "--repo", repo, *more])


def held(remote, kind="datasets", name=REPO):
    """The repository of a test's Hub."""
    return remote.repos[kind, name]


def sent(folder):
    """Paths that publishing a dataset folder sends."""
    manifest = json.loads((folder / "manifest.json").read_text())
    data = [item["file"] for part in manifest["dataset"].values() for item in part["files"]]
    return {"README.md", "manifest.json", "exclusions.jsonl", *data}
