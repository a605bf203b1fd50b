"""Every recipe, start to saved adapter, in this process; what is refused, and with which words."""

import json
import re

import pytest
import yaml

from codepref.errors import CodeprefError

METHODS = ("sft", "dpo", "kto", "focal_dpo")


@pytest.mark.parametrize("chat", [False, True], ids=["plain", "chat"])
@pytest.mark.parametrize("adapter", ["full", "qlora"])
@pytest.mark.parametrize("method", METHODS)
def test_two_steps_and_a_saved_model(train, losses, qlora, tmp_path, method, adapter, chat):
    trainer = train(method, chat=chat, **(qlora if adapter == "qlora" else {}))
    assert trainer.state.global_step == 2
    assert all(0 < loss < 20 for loss in losses(trainer))
    out = tmp_path / "out"
    weights = "adapter_model.safetensors" if adapter == "qlora" else "model.safetensors"
    assert (out / weights).is_file()
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["method"] == method
    assert manifest["checks"]["lengths"]["kept"] == (24 if method == "kto" else 12)
    assert manifest["checks"]["warnings"] == []
    card = (out / "README.md").read_text()
    assert "](figures/training.png)" in card
    assert (out / "figures" / "training.png").stat().st_size > 1000
    assert "[More Information Needed]" not in card
    assert "None" not in card
    assert str(tmp_path) not in card + (out / "manifest.json").read_text()
    if adapter == "qlora":
        kinds = {type(module).__name__ for module in trainer.model.modules()}
        assert "Linear4bit" in kinds
        config = json.loads((out / "adapter_config.json").read_text())
        assert config["target_modules"] == sorted(config["target_modules"])
        assert not any(name.startswith("lm_head") for name in config["target_modules"])


@pytest.mark.parametrize("method", METHODS)
def test_an_overfit_batch_is_learnt(train, losses, rows, tmp_path, method):
    path = tmp_path / "batch.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows[:4]))
    found = losses(train(method, dataset_name=str(path), max_steps=30, learning_rate=5e-3, warmup_steps=5))
    assert len(found) == 30
    assert sum(found[-3:]) / 3 < 0.6 * found[0], found


def test_chat_data_gets_the_template_and_its_end(train, words):
    trainer = train("dpo", chat=True)
    row = trainer.train_dataset[0]
    assert words.decode(row["prompt_ids"]).endswith("<|im_start|>assistant\n")
    assert words.decode(row["chosen_ids"]).endswith("<|im_end|>\n")


def test_prompt_template(train, words):
    trainer = train("dpo", prompt_template="### Task\n{prompt}### Answer\n")
    assert words.decode(trainer.train_dataset[0]["prompt_ids"]).startswith("### Task\nWrite a function")
    assert words.decode(trainer.train_dataset[0]["prompt_ids"]).endswith("### Answer\n")


def test_the_nll_term_is_on_by_default(train):
    trainer = train("dpo")
    assert (trainer.loss_types, trainer.loss_weights) == (["sigmoid", "sft"], [1.0, 1.0])
    assert train("dpo", alpha=0.0).loss_types == ["sigmoid"]
    own = train("dpo", loss_type=["sigmoid", "sft"], loss_weights=[1.0, 0.2])
    assert own.loss_weights == [1.0, 0.2]


def test_pairs_of_like_length_go_together(train):
    trainer = train("dpo", train_sampling_strategy="group_by_length", max_steps=1)
    batch = next(iter(trainer.get_train_dataloader()))
    found = batch["attention_mask"].sum(1).view(2, 4).amax(0).tolist()
    assert found == sorted(found, reverse=True)
    assert found[0] == max(trainer.train_dataset["length"])  # the longest comes first


def test_kto_rows_are_not_sorted_by_label(train):
    labels = train("kto").train_dataset["label"]
    assert sorted(labels) != labels != sorted(labels, reverse=True)
    assert sum(labels) == 12


def test_kto_classes_weigh_the_same(train, rows, tmp_path):
    path = tmp_path / "labelled.jsonl"
    data = [{"prompt": row["prompt"], "completion": row["chosen"], "label": i < 4} for i, row in enumerate(rows)]
    path.write_text("".join(json.dumps(row) + "\n" for row in data))
    trainer = train("kto", dataset_name=str(path))
    assert (trainer.desirable_weight, trainer.undesirable_weight) == (2.0, 1.0)
    assert train("kto", dataset_name=str(path), undesirable_weight=0.5).desirable_weight == 1.0


def test_evaluation_on_held_out_prompts(train):
    trainer = train("dpo", eval_fraction=0.3, eval_strategy="steps", eval_steps=1)
    held, kept = set(trainer.eval_dataset["prompt"]), set(trainer.train_dataset["prompt"])
    assert held
    assert not held & kept
    assert any("eval_loss" in entry for entry in trainer.state.log_history)


def test_the_guard_stops_a_run_that_unlearns_chosen_code(train, tmp_path, lora):
    with pytest.raises(CodeprefError, match=r"step \d+: chosen code has lost .* nats a token") as told:
        train("dpo", **lora, alpha=0.0, beta=1.0, learning_rate=0.3, max_steps=40, chosen_drop=0.05)
    assert "\n" not in str(told.value)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["result"]["steps"] < 40
    assert manifest["result"]["guard"] in (tmp_path / "out" / "README.md").read_text()


def test_the_guard_can_warn_and_go_on(train, capsys, lora):
    changes = {
        "alpha": 0.0,
        "beta": 1.0,
        "learning_rate": 0.3,
        "max_steps": 8,
        "chosen_drop": 0.0,
        "chosen_guard": "warn",
    }
    trainer = train("dpo", **lora, **changes)
    assert trainer.state.global_step == 8
    assert capsys.readouterr().out.count("warning: step") == 1
    assert all("logps/chosen_change" in entry for entry in trainer.state.log_history if "loss" in entry)


def test_tracking_needs_no_network(train, tmp_path, monkeypatch):
    trackio = pytest.importorskip("trackio")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    for name in ("TRACKIO_DIR",):
        for module in ("trackio.utils", "trackio.sqlite_storage"):
            import importlib

            if hasattr(importlib.import_module(module), name):
                monkeypatch.setattr(f"{module}.{name}", tmp_path / "trackio")
    train("dpo", report_to="trackio", project="tests", run_name="one")
    assert trackio
    assert list((tmp_path / "trackio").rglob("*.db"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lerning_rate": 1e-3}, "unknown key 'lerning_rate'; did you mean 'learning_rate'?"),
        ({"dataset_name": "runs/absent"}, "runs/absent: .*give a folder built by codepref"),
        ({"dataset_name": None}, "dataset_name: missing"),
        ({"dataset_train_split": "validation"}, "validation"),
        ({"model_name_or_path": "/absent/model"}, "/absent/model: .*give a Hub id or a folder"),
        ({"model_name_or_path": None}, "model_name_or_path is missing"),
        ({"chat": True, "prompt_template": "{prompt}"}, "chat and prompt_template: give one of them"),
        ({"prompt_template": "x"}, r"no \{prompt\} in it"),
        ({"max_length": 5}, "longer than max_length 5"),
        ({"eval_fraction": 0.1}, "set eval_strategy"),
        ({"eval_strategy": "steps"}, "set eval_fraction"),
        ({"resume_from_checkpoint": "last"}, "no checkpoint in"),
        ({"chosen_guard": "loud"}, "chosen_guard"),
    ],
)
def test_what_can_not_run_is_refused_in_one_line(train, changes, said):
    with pytest.raises(CodeprefError, match=said) as told:
        train("dpo", **changes)
    assert "\n" not in str(told.value)


def test_kto_refuses_one_row_a_batch(train):
    with pytest.raises(CodeprefError, match="give 2 or more"):
        train("kto", per_device_train_batch_size=1)


def test_an_adapter_remembers_the_revision_of_its_base(train, tmp_path, lora, monkeypatch):
    import recipe

    plain = recipe.describe

    def described(*arguments):
        manifest = plain(*arguments)
        manifest["base"] = {**manifest["base"], "revision": "0123abc"}
        return manifest

    monkeypatch.setattr(recipe, "describe", described)
    train("dpo", **lora)
    assert json.loads((tmp_path / "out" / "adapter_config.json").read_text())["revision"] == "0123abc"


def test_what_codeflow_built_trains(train, root, tmp_path):
    from codepref import cli

    config = root / "builders" / "configs" / "codeflow" / "quickstart.yaml"
    out = tmp_path / "codeflow"
    assert cli.main(["build", "codeflow", "--config", str(config), "--out", str(out), "--quiet", "--workers", "1"]) == 0
    trainer = train("focal_dpo", dataset_name=str(out), max_steps=1, max_length=1024)
    assert (
        len(trainer.train_dataset) + sum(trainer.dropped.values())
        == json.loads((out / "manifest.json").read_text())["dataset"]["pairs"]["rows"]
    )
    for row in trainer.train_dataset:
        assert 0 < sum(row["rejected_weights"]) < len(row["rejected_weights"])
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["dataset"]["method"] == "codeflow"


def test_flags_beat_the_file(configure):
    import dpo

    assert dpo.main(["--config", configure(), "--max_steps", "1"]).state.global_step == 1


def test_yaml_scientific_numbers_are_numbers(configure, tmp_path):
    import arguments
    from trl import DPOConfig

    path = tmp_path / "plain.yaml"
    path.write_text(
        yaml.safe_dump({"model_name_or_path": "x/y", "dataset_name": "x/z"}) + "learning_rate: 5e-6\nuse_cpu: true\n"
    )
    _, args, _ = arguments.parse(arguments.PairArguments, DPOConfig, ["--config", str(path)])
    assert args.learning_rate == 5e-6


def test_null_takes_back_what_the_file_says(configure):
    import arguments
    from trl import DPOConfig

    path = configure(prompt_template="{prompt}\n", max_length=77, seed=5)
    flags = ["--config", path, "--prompt_template", "null", "--max_length=null", "--seed", "~"]
    script, args, _ = arguments.parse(arguments.PairArguments, DPOConfig, flags)
    assert script.prompt_template is None
    assert args.max_length is None  # may be empty: no limit
    assert args.seed == 42  # may not: the default
    script, *_ = arguments.parse(arguments.PairArguments, DPOConfig, ["--config", configure(chosen_guard=None)])
    assert script.chosen_guard == "stop"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--lerning_rate", "1"], "command line: unknown key 'lerning_rate'; did you mean 'learning_rate'?"),
        (["--lerning_rate", "null"], "unknown key 'lerning_rate'"),
        (["--learning_rate", "fast"], "invalid float value: 'fast'"),
        (["--max_steps"], "expected one argument"),
        (["--config"], "--config: give a YAML file"),
    ],
)
def test_flags_that_are_wrong_are_refused_in_one_line(configure, flags, said):
    import dpo

    words = flags if flags == ["--config"] else ["--config", configure(), *flags]
    with pytest.raises(CodeprefError, match=re.escape(said)) as told:
        dpo.main(words)
    assert "\n" not in str(told.value)


def test_a_template_beside_messages_is_refused(train, tmp_path):
    path = tmp_path / "chat.jsonl"
    row = {key: [{"role": "assistant", "content": key}] for key in ("chosen", "rejected")}
    path.write_text(json.dumps({"prompt": [{"role": "user", "content": "p"}], **row}) + "\n")
    with pytest.raises(CodeprefError, match=r"chat.jsonl, line 1: has messages, .*--set prompt_template=null"):
        train("dpo", dataset_name=str(path), prompt_template="{prompt}\n")


@pytest.mark.parametrize("method", ["sft", "dpo", "kto"])
def test_long_prompts_are_left_out_packed_or_not(train, losses, rows, tmp_path, method):
    path = tmp_path / "long.jsonl"
    lines = [{**row, "prompt": row["prompt"] + "# and so on\n" * 60 * (i % 2)} for i, row in enumerate(rows)]
    path.write_text("".join(json.dumps(row) + "\n" for row in lines))
    for changes in ({}, {"packing": True, "attn_implementation": "eager"})[: 2 if method == "sft" else 1]:
        trainer = train(method, dataset_name=str(path), max_length=128, **changes)
        assert min(losses(trainer)) > 0
        lengths = json.loads((tmp_path / "out" / "manifest.json").read_text())["checks"]["lengths"]
        assert lengths["kept"] == lengths["dropped"] == (12 if method == "kto" else 6)


def test_packing_prompts_that_are_all_too_long_is_refused(train, rows, tmp_path):
    path = tmp_path / "long.jsonl"
    path.write_text("".join(json.dumps({**row, "prompt": "# and so on\n" * 99}) + "\n" for row in rows))
    with pytest.raises(CodeprefError, match="all 12 prompts are longer than max_length 128"):
        train("sft", dataset_name=str(path), max_length=128, packing=True)


def test_kto_leaves_out_a_last_batch_of_one(train, rows, tmp_path, capsys):
    path = tmp_path / "five.jsonl"
    lines = [
        {"prompt": row["prompt"], "completion": row["chosen"], "label": i % 2 == 0} for i, row in enumerate(rows[:5])
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in lines))
    trainer = train("kto", dataset_name=str(path))
    assert trainer.train_dataset["label"].count(True) == trainer.train_dataset["label"].count(False) == 2
    assert "warning: one row is left out: alone in the last batch" in capsys.readouterr().out
