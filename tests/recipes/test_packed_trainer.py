"""Whole runs with packed steps: the curves of padded ones, in passes of a budget, and a log that costs where it is read."""

import json
import random
from importlib import import_module

import pytest
import torch

from codepref.errors import CodeprefError

RUN = {"max_steps": 12, "chosen_guard": "off", "learning_rate": 2e-3}


def curves(train, method, how, **changes):
    """Loss, held-out loss and reward margin of a whole run, without the one whose place it takes."""
    trainer = train(method, packing=how, **{**RUN, **changes})
    keys = ("loss", "eval_loss", "rewards/margins", "logps/chosen", "entropy", "num_tokens", "kl")
    return {key: [entry[key] for entry in trainer.state.log_history if key in entry] for key in keys}


@pytest.mark.parametrize(
    ("method", "packing"),
    [("dpo", "rows"), ("dpo", "prefix"), ("focal_dpo", "prefix"), ("kto", "rows")],
)
def test_the_curve_of_a_whole_run(train, method, packing):
    padded, packed = (curves(train, method, how) for how in ("none", packing))
    assert len(padded["loss"]) == 12
    assert abs(padded["rewards/margins"][-1]) > 0.1  # it has learnt
    for key, values in padded.items():
        assert packed[key] == pytest.approx(values, rel=1e-3, abs=1e-4), key


@pytest.mark.parametrize(
    "changes",
    [
        {"gradient_accumulation_steps": 2, "per_device_train_batch_size": 3},
        {"gradient_checkpointing": True},
        {"eval_fraction": 0.3, "eval_strategy": "steps", "eval_steps": 2},
        {"train_sampling_strategy": "group_by_length"},
        {"loss_type": ["ipo"], "alpha": 0.0},
        {"use_weighting": True, "alpha": 0.0},
        {"ld_alpha": 0.5},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_settings_of_a_run(train, lora, changes):
    padded, packed = (curves(train, "dpo", how, **lora, **{**changes, "max_steps": 4}) for how in ("none", "prefix"))
    assert bool(padded["eval_loss"]) == ("eval_fraction" in changes)
    for key, values in padded.items():
        assert packed[key] == pytest.approx(values, rel=1e-4, abs=1e-5), key


def test_quantised(train, qlora):
    padded, packed = (curves(train, "dpo", how, **{**qlora, "max_steps": 3}) for how in ("none", "prefix"))
    assert packed["loss"] == pytest.approx(padded["loss"], rel=2e-3)


@pytest.mark.parametrize(("method", "packing"), [("dpo", "prefix"), ("kto", "rows")])
def test_the_log_of_a_step_is_that_steps(train, method, packing):
    every, second = (
        train(method, packing=packing, **{**RUN, "max_steps": 4}, logging_steps=steps).state.log_history
        for steps in (1, 2)
    )
    for key in ("entropy", "logits/chosen", "logits/rejected", "mean_token_accuracy"):
        alone = {entry["step"]: entry[key] for entry in every if key in entry}
        found = {entry["step"]: entry[key] for entry in second if key in entry}
        assert found == {step: value for step, value in alone.items() if step in (2, 4)}
        assert found or (method, key) == ("kto", "mean_token_accuracy")  # KTO has no such log
    both, means = ([entry["grad_norm"] for entry in log if "grad_norm" in entry] for log in (every, second))
    assert means == pytest.approx(both[1::2])  # the runs are the same


def test_two_processes(root, configure, train, losses, tmp_path):
    from test_launch import launched

    steps = {"alpha": 0.0, "max_steps": 4, "chosen_guard": "off"}
    one = losses(train("dpo", **steps))
    # the budget lets one process take its pairs in one pass and the other not, which must wait for each other
    budget = {"packing": "prefix", "max_tokens_per_batch": 140, "max_length": 70}
    config = configure(**steps, **budget, per_device_train_batch_size=2, output_dir=str(tmp_path / "two"))
    launched(root, "torch.distributed.run", "--nproc_per_node", "2", "recipes/dpo.py", "--config", config)
    state = json.loads((tmp_path / "two" / "trainer_state.json").read_text())
    assert [entry["loss"] for entry in state["log_history"] if "loss" in entry] == pytest.approx(one, abs=1e-5)


def test_a_budget_is_kept(train, monkeypatch):
    import packing

    passes, budget = [], 160
    lay = packing.lay
    monkeypatch.setattr(packing, "lay", lambda *given: passes.append(lay(*given).ids.numel()) or lay(*given))
    options = {"alpha": 0.0, "max_steps": 5, "per_device_train_batch_size": 6, "max_length": 80}
    whole = curves(train, "dpo", "prefix", **options)
    assert max(passes) > budget
    passes.clear()
    parts = curves(train, "dpo", "prefix", **options, max_tokens_per_batch=budget)
    assert max(passes) <= budget
    assert len(passes) > 2 * 5
    for key in ("loss", "num_tokens"):
        assert parts[key] == pytest.approx(whole[key], rel=1e-4), key


def test_a_budget_for_focal_pairs_with_graded_weights(train):
    options = {
        "rejected_focus_weight": [0.3, 1.0, 0.3], "alpha": 0.0, "max_steps": 3, "per_device_train_batch_size": 6,
        "max_length": 80, "precompute_ref_log_probs": True,
    }  # fmt: skip
    whole = curves(train, "focal_dpo", "none", **options)
    parts = curves(train, "focal_dpo", "prefix", **options, max_tokens_per_batch=160)
    assert parts["loss"] == pytest.approx(whole["loss"], rel=1e-4)


def test_a_budget_is_refused_for_sharded_models(train, monkeypatch):
    from trl import DPOTrainer

    inner = DPOTrainer.__init__

    def sharded(self, **given):
        inner(self, **given)
        self.is_fsdp_enabled = True

    monkeypatch.setattr(DPOTrainer, "__init__", sharded)
    with pytest.raises(CodeprefError, match="not for sharded models"):
        train("dpo", packing="prefix", max_tokens_per_batch=512)


def test_the_reference_keeps_to_the_budget_too():
    from trl import DPOConfig

    check = import_module("packed_trainer").check_budget
    args = DPOConfig(output_dir="x", use_cpu=True, report_to="none", max_length=100, per_device_train_batch_size=64)
    check("prefix", None, args)
    assert args.precompute_ref_batch_size is None
    check("prefix", 450, args)
    assert args.precompute_ref_batch_size == 2


def test_parts_hold_each_pair_once_and_no_more_than_the_budget():
    trainer, draw = import_module("packed_trainer"), random.Random(0)
    for _ in range(200):
        costs = [draw.randint(1, 120) for _ in range(draw.randint(1, 30))]
        parts = trainer.divide(costs, 100)
        assert parts == trainer.divide(costs, 100)
        assert sorted(pair for part in parts for pair in part) == list(range(len(costs)))
        assert all(sum(costs[pair] for pair in part) <= 100 for part in parts if len(part) > 1)
        assert len(parts) <= 2 * sum(costs) / 100 + 1 + sum(cost > 100 for cost in costs)
        more = trainer.stretch(parts, draw.randint(len(parts), len(costs)))
        assert sorted(pair for part in more for pair in part) == list(range(len(costs)))
        assert all(more)


def test_the_reference_is_computed_packed_and_kept(train, losses, monkeypatch):
    import packing

    seen = []
    lay = packing.lay
    monkeypatch.setattr(packing, "lay", lambda *given: seen.append(torch.is_grad_enabled()) or lay(*given))
    options = {"packing": "prefix", "max_steps": 1, "max_length": 77}
    live = losses(train("dpo", **options))
    assert seen == [True, False]
    seen.clear()
    assert losses(train("dpo", **options, precompute_ref_log_probs=True)) == pytest.approx(live, rel=1e-5)
    assert seen == [False] * 3 + [True]
    seen.clear()
    assert losses(train("dpo", **options, precompute_ref_log_probs=True)) == pytest.approx(live, rel=1e-5)
    assert seen == [True]  # the reference's are on disk now


def test_what_is_refused_before_the_weights_are_loaded(train):
    with pytest.raises(CodeprefError, match=r"packing: 'tight'; give none or rows or pairs or prefix"):
        train("dpo", packing="tight")
    with pytest.raises(CodeprefError, match="packing: 'prefix'; give none or rows"):
        train("kto", packing="prefix")
    with pytest.raises(CodeprefError, match="attn_implementation: eager: packing brings its own"):
        train("dpo", packing="rows", attn_implementation="eager")
    with pytest.raises(CodeprefError, match="may have any number of tokens; set max_length"):
        train("dpo", packing="prefix", max_tokens_per_batch=500, max_length=None)
    with pytest.raises(CodeprefError, match="counts packed tokens; set packing: prefix"):
        train("dpo", max_tokens_per_batch=4096)
    with pytest.raises(
        CodeprefError, match=r"max_tokens_per_batch: 500; a pair can have 512 tokens \(2 x max_length\)"
    ):
        train("dpo", packing="prefix", max_tokens_per_batch=500)


def test_sft_has_the_packing_of_trl(train, losses, rows, tmp_path):
    path = tmp_path / "four.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows[:4]))
    options = {"dataset_name": str(path), "max_steps": 3, "max_length": 512}
    padded = losses(train("sft", **options, per_device_train_batch_size=4))
    packed = train("sft", **options, per_device_train_batch_size=1, packing=True)
    assert len(packed.train_dataset) == 1  # all four in one
    assert losses(packed) == pytest.approx(padded, rel=1e-5)
