"""Settings are read and checked as a run does it, and nothing else happens."""

import io
import json
import sys

import pytest


@pytest.fixture(scope="module")
def check():
    import check

    return check


@pytest.mark.parametrize("recipe", ["sft", "dpo", "kto", "focal_dpo"])
def test_nothing_is_loaded_or_written(check, configure, tmp_path, recipe):
    words = ["--config", configure(model_name_or_path="/absent/model", dataset_name="/absent/rows.jsonl")]
    assert check.problem(recipe, words) is None
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("recipe", "changes", "said"),
    [
        ("sft", {"lerning_rate": 1e-3}, "did you mean 'learning_rate'"),
        ("sft", {"eval_fraction": 0.1}, "set eval_strategy"),
        ("dpo", {"dataset_streaming": True}, "dataset_streaming: not supported"),
        ("dpo", {"label_confidence": "soft", "loss_type": ["ipo"], "alpha": 0.0}, "only defined for loss_type sigmoid"),
        ("dpo", {"max_tokens_per_batch": 512}, "set packing: prefix"),
        ("kto", {"per_device_train_batch_size": 1}, "give 2 or more"),
        ("kto", {"desirable_weight": 0.0, "undesirable_weight": 0.0}, "one of them above 0"),
        ("kto", {"desirable_weight": -1.0}, "give numbers of 0 or more"),
        ("focal_dpo", {"rejected_focus_weight": [1.0]}, "give three numbers"),
    ],
)
def test_what_a_run_would_refuse_is_told(check, configure, recipe, changes, said):
    told = check.problem(recipe, ["--config", configure(**changes)])
    assert said in told
    assert "\n" not in told


def test_many_are_asked_at_once(check, configure, monkeypatch, capsys):
    asked = [["dpo", ["--config", configure()]], ["sft", ["--config", configure(), "--num_train_epochs", "many"]]]
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(asked)))
    check.main()
    good, bad = json.loads(capsys.readouterr().out)
    assert good is None
    assert "num_train_epochs" in bad
