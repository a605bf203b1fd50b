"""Published debugging trajectories: not part of the project, so these tests skip where they are absent."""

import gzip
import importlib.util
import json

import datasets
import pytest
from building import build_in
from tokenizers_trained import FAMILIES

from builders.codeflow import method as codeflow
from codepref import config
from codepref.focus import token_mask

pytestmark = pytest.mark.realdata
SETS = {"ldb": 40, "lats": 30, "mint": 40}
"""Trajectories taken of each set, with several versions where there are any."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, root, shared):
    """The file, and for each trajectory what its source says about every version."""
    spec = importlib.util.spec_from_file_location("trajectories", root / "benchmarks" / "trajectories.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    lines, known = [], []
    for name, count in SETS.items():
        rows = list(script.read(shared / "trajectories" / f"{name}.jsonl.gz"))
        made = list(script.convert(shared, [name], list(script.LICENCES)))
        several = [n for n, row in enumerate(made) if 1 < len(row["versions"]) < 5]
        for n in several[:: len(several) // count][:count]:
            lines.append(json.dumps(made[n]) + "\n")
            known.append((made[n], [attempt["passed"] for attempt in rows[n]["attempts"]]))
    path = tmp_path_factory.mktemp("recorded") / "trajectories.jsonl.gz"
    with gzip.open(path, "wt") as out:
        out.writelines(lines)
    return path, known


@pytest.fixture(scope="module")
def built(recorded, root, tmp_path_factory):
    out = tmp_path_factory.mktemp("real") / "run"
    path = root / "builders/configs/codeflow/recorded.yaml"
    changes = [f"trajectories={recorded[0]}", "limits.cpu_s=0.5", "limits.screen_s=0.02"]
    build_in(codeflow, config.load(codeflow.Config, path, changes), out, quiet=True)
    return out


def test_verdicts_agree_with_those_known(recorded, built):
    known = {(row["prompt_id"], row["generator"], len(row["versions"])): passed for row, passed in recorded[1]}
    agree = disagree = 0
    for row in datasets.load_dataset(str(built), "trajectories", split="train"):
        (passed,) = [
            passed
            for (prompt_id, generator, count), passed in known.items()
            if (prompt_id, generator) == (row["prompt_id"], row["generator"]) and count >= len(row["versions"])
        ][:1]
        for version, truth in zip(row["versions"], passed, strict=False):
            mine = not version["problem"] and set(version["verdicts"]) == {"passed"}
            agree, disagree = agree + (mine == truth), disagree + (mine != truth)
    assert agree > 120
    assert disagree <= 2


def test_it_is_for_measuring_only(built):
    assert "For measuring only" in (built / "README.md").read_text()


@pytest.mark.parametrize("family", FAMILIES)
def test_masks_of_real_pairs(built, family):
    tokenizer = FAMILIES[family]()
    rows = datasets.load_dataset(str(built), "pairs", split="train")
    assert len(rows) >= 10
    for row in rows:
        head = f"{row['prompt']}\n```python\n"
        text = f"{head}{row['rejected']}```"
        encoding = tokenizer.encode(text)
        mask = token_mask(encoding.offsets, row["rejected_spans"], len(head))
        counted = {at for (a, b), counts in zip(encoding.offsets, mask, strict=True) if counts for at in range(a, b)}
        wanted = {len(head) + at for first, last in row["rejected_spans"] for at in range(first, last)}
        with_token = {at for a, b in encoding.offsets for at in range(a, b)}
        assert counted >= wanted & with_token
        assert not "".join(text[at] for at in counted - wanted).strip()
        assert sum(mask)
