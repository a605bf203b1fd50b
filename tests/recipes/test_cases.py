"""Every kind of rows through its recipe: it trains, or it is refused in one line before the model is loaded."""

import json
import os
import subprocess
import sys
from importlib import import_module

import pytest
import rows_cases

from codepref.errors import CodeprefError


@pytest.fixture
def unloaded(monkeypatch):
    """Fails when a recipe gets as far as its trainer, which loads the model."""
    import recipe

    def reached(kind):
        raise AssertionError("the model would be loaded")

    monkeypatch.setattr(recipe, "own_card", reached)


REFUSED = [name for name, case in rows_cases.CASES.items() if case[2]]
TAKEN = [name for name, case in rows_cases.CASES.items() if not case[2]]


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_line_before_the_model_is_loaded(configure, tmp_path, unloaded, name):
    method, said = rows_cases.write(tmp_path, name)
    changes = {"focus": "lines"} if method == "focal_dpo" else {}
    with pytest.raises(CodeprefError) as told:
        import_module(method).main(["--config", configure(dataset_name=str(tmp_path / name), **changes)])
    assert said in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", TAKEN)
def test_trained_on_what_is_meant(train, words, tmp_path, name):
    method, _ = rows_cases.write(tmp_path, name)
    trainer = train(method, dataset_name=str(tmp_path / name), max_steps=1)
    row = trainer.train_dataset[0]
    if method == "sft":
        counted = [label for label in row["labels"] if label != -100]
        asked, answers = words.decode(row["input_ids"]), [counted]
    else:
        sides = ("completion_ids",) if method == "kto" else ("chosen_ids", "rejected_ids")
        asked, answers = words.decode(row["prompt_ids"]), [row[side] for side in sides]
    assert name.startswith("text") or "Write a function f(x) that adds" in asked
    for answer in answers:
        # neither the prompt nor the text of a Python list
        assert words.decode(answer).strip().startswith("def f(x):\n    return x ")
        assert words.decode(answer).strip().endswith("<|im_end|>")
    if method == "kto":
        texts = [words.decode(row["completion_ids"]) for row in trainer.train_dataset]
        assert [" + " in text for text in texts] == trainer.train_dataset["label"]


@pytest.mark.parametrize("name", ["null", "number", "empty", "surrogate", "spans_null", "broken", "label_null"])
def test_skip_bad_leaves_out_and_counts(train, tmp_path, name, capsys):
    method, _ = rows_cases.write(tmp_path, f"{name}.jsonl")
    path = tmp_path / f"{name}.jsonl"
    if name == "broken":
        path.write_bytes(path.read_bytes() * 2)
    train(method, dataset_name=str(path), skip_bad=True, max_steps=1)
    out = capsys.readouterr().out
    count = 2 if name == "broken" else 1
    assert f"warning: {count} of " in out
    assert "rows are left out (--skip-bad): " in out
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["checks"]["rows as stored"]["left out"] == count


@pytest.mark.parametrize("name", ["stars", "shares", "mixed"])
def test_skip_bad_is_no_remedy_where_the_other_rows_are_doubtful(configure, tmp_path, unloaded, name):
    method, said = rows_cases.write(tmp_path, f"{name}.jsonl")
    with pytest.raises(CodeprefError) as told:
        import_module(method).main(["--config", configure(dataset_name=str(tmp_path / f"{name}.jsonl"), skip_bad=True)])
    assert said in str(told.value)
    assert "--skip-bad" not in str(told.value)


@pytest.mark.parametrize("name", ["null.jsonl", "latin1.jsonl"])
def test_the_command_says_one_line_and_ends_with_2(root, configure, tmp_path, name):
    rows_cases.write(tmp_path, name)
    command = [sys.executable, "-m", "codepref.cli", "train", "dpo", "--config", configure()]
    done = subprocess.run(
        [*command, "--set", f"dataset_name={tmp_path / name}"],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr + done.stdout
    assert done.stderr.splitlines()[-1].startswith(f"dpo.py: error: {name}, line ")
