"""Going on from a checkpoint: from a whole one only, and only as the same run."""

import json
import shutil

import pytest

from codepref.errors import CodeprefError

STEPS = {"max_steps": 4, "save_strategy": "steps", "save_steps": 1, "chosen_guard": "off", "alpha": 0.0}


@pytest.fixture(scope="module")
def checkpoints():
    import checkpoints

    return checkpoints


@pytest.fixture(scope="module")
def stored(tiny, tmp_path_factory):
    """Checkpoints of a run of four steps, one a step; only to be copied."""
    import dpo
    from conftest import LORA, PAIRS

    out = tmp_path_factory.mktemp("stored") / "out"
    keys = {"model_name_or_path": tiny, "dataset_name": PAIRS, "output_dir": out, "use_cpu": "true", "bf16": "false",
            "gradient_checkpointing": "false", "per_device_train_batch_size": 4, "max_length": 256, "logging_steps": 1,
            "lr_scheduler_type": "constant", "learning_rate": 1e-3, "report_to": "none", "disable_tqdm": "true", **STEPS, **LORA}  # fmt: skip
    dpo.main([word for key, value in keys.items() for word in (f"--{key}", str(value))])
    return out


@pytest.fixture
def out(stored, tmp_path):
    shutil.copytree(stored, tmp_path / "out")
    return tmp_path / "out"


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGE = {
    "no state": (lambda path: (path / "trainer_state.json").unlink(), "no trainer_state.json"),
    "a state cut off": (lambda path: cut(path / "trainer_state.json"), "trainer_state.json is cut off"),
    "weights cut off": (lambda path: cut(path / "adapter_model.safetensors"), "adapter_model.safetensors is cut off"),
    "no weights": (lambda path: (path / "adapter_model.safetensors").unlink(), "no weights"),
    "an optimizer cut off": (lambda path: cut(path / "optimizer.pt"), "optimizer.pt is cut off"),
    "no optimizer": (lambda path: (path / "optimizer.pt").unlink(), "no optimizer.pt"),
    "an empty folder": (lambda path: [item.unlink() for item in path.iterdir()], "no trainer_state.json"),
}


def test_a_whole_one_has_no_fault(checkpoints, out):
    assert [checkpoints.fault(path) for path in sorted(out.glob("checkpoint-*"))] == [""] * 4
    assert checkpoints.wanted(out, "last") == out / "checkpoint-4"
    assert checkpoints.wanted(out, True) == out / "checkpoint-4"
    assert checkpoints.wanted(out, None) is None


@pytest.mark.parametrize("name", DAMAGE)
def test_one_that_is_not_whole_is_passed_over_and_named(checkpoints, out, name):
    damage, said = DAMAGE[name]
    damage(out / "checkpoint-4")
    for asked in ("last", str(out / "checkpoint-4")):
        assert checkpoints.wanted(out, asked) == out / "checkpoint-3"
    assert checkpoints.passed_over(out / "checkpoint-3") == [f"checkpoint-4 is not whole ({said})"]


def test_none_that_is_whole(checkpoints, out):
    for path in out.glob("checkpoint-*"):
        (path / "trainer_state.json").unlink()
    with pytest.raises(CodeprefError, match=r"no checkpoint in .* is whole \(checkpoint-4: no trainer_state.json; "):
        checkpoints.wanted(out, "last")
    with pytest.raises(CodeprefError, match=r"checkpoint-9 is no checkpoint \(there: .*checkpoint-4, "):
        checkpoints.wanted(out, str(out / "checkpoint-9"))


def test_a_run_goes_on_from_the_last_whole_one(train, losses, out, lora, capsys):
    whole = json.loads((out / "checkpoint-4" / "trainer_state.json").read_text())["log_history"]
    cut(out / "checkpoint-4" / "optimizer.pt")
    resumed = train("dpo", **STEPS, **lora, resume_from_checkpoint="last")
    assert losses(resumed) == [entry["loss"] for entry in whole if "loss" in entry]
    said = capsys.readouterr().out
    assert f"going on from {out / 'checkpoint-3'}; checkpoint-4 is not whole (optimizer.pt is cut off)" in said
    assert json.loads((out / "manifest.json").read_text())["resumed"] == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dataset_name": "other"}, "rows pairs.jsonl -> other.jsonl"),
        ({"alpha": 0.5}, "alpha 0.0 -> 0.5"),
        ({"lora_alpha": 16}, "lora_alpha 8 -> 16"),
        ({"beta": 0.2}, "beta 0.1 -> 0.2"),
        ({"max_length": 128}, "max_length 256 -> 128"),
        ({"learning_rate": 2e-3}, "learning_rate 0.001 -> 0.002"),
        ({"method": "kto"}, "method dpo -> kto"),
    ],
)
def test_going_on_as_another_run_is_refused(train, configure, out, lora, rows, tmp_path, changes, said):
    other = tmp_path / "other.jsonl"
    other.write_text("".join(json.dumps(row) + "\n" for row in rows[:8]))
    steps = {**STEPS, **lora, **changes}
    method = steps.pop("method", "dpo")
    if method == "kto":
        del steps["alpha"]
    if "dataset_name" in changes:
        steps["dataset_name"] = str(other)
    with pytest.raises(CodeprefError, match="checkpoint-4 is of another run") as told:
        train(method, **steps, resume_from_checkpoint="last")
    assert said in str(told.value)
    assert "resume_changed=true" in str(told.value)


def test_longer_and_in_smaller_batches_is_the_same_run(train, out, lora):
    steps = {
        **STEPS,
        "max_steps": 5,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 2,
        "save_steps": 3,
    }
    assert train("dpo", **steps, **lora, resume_from_checkpoint="last").state.global_step == 5


def test_what_was_allowed_stands_on_the_card(train, out, lora):
    steps = {**STEPS, "max_steps": 5, "beta": 0.2}
    train("dpo", **steps, **lora, resume_from_checkpoint="last", resume_changed=True)
    (change,) = json.loads((out / "manifest.json").read_text())["resumed"]
    assert change == {"step": 4, "changes": {"beta": {"before": 0.1, "after": 0.2}}}
    card = " ".join((out / "README.md").read_text().split())
    assert "**Gone on from step 4 as another run:** beta was `0.1` before and `0.2` after." in card
    # and it stays there when the run goes on once more
    train("dpo", **{**steps, "max_steps": 6}, **lora, resume_from_checkpoint="last")
    assert json.loads((out / "manifest.json").read_text())["resumed"] == [change]
