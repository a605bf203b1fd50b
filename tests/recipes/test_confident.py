"""Losses that listen to the label's confidence: the formula computed by hand, in double precision, and whole runs."""

import json
from importlib import import_module
from pathlib import Path

import pytest
import torch
from test_packing import build, exact, made, step, varied  # noqa: F401 - fixtures among them
from trl import KTOConfig

BETA, ALPHA = 0.1, 0.5
CONFIDENCES = [0.9, 0.2, 0.5, 0.0]
CHANGES = {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, ALPHA], "beta": BETA}


@pytest.fixture
def sure(varied):  # noqa: F811
    return [{**row, "confidence": value} for row, value in zip(varied, CONFIDENCES, strict=True)]


def log_probs(model, ids, mask):
    logits = model(input_ids=ids, attention_mask=mask).logits
    return logits[:, :-1].log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]


def by_hand(trainer, batch, how):
    """Loss and gradient from whole logits, without TRL's loss and without ours."""
    ids, mask = batch["input_ids"], batch["attention_mask"]
    counted = batch["completion_mask"][:, 1:].bool()
    weights = batch.get("token_weights", batch["completion_mask"])[:, 1:]
    trainer.model.zero_grad()
    policy = log_probs(trainer.model, ids, mask) * weights
    with torch.no_grad():
        if trainer.ref_model is not None:
            reference = log_probs(trainer.ref_model, ids, mask) * weights
        else:
            with trainer.model.disable_adapter():
                reference = log_probs(trainer.model, ids, mask) * weights
    half = len(ids) // 2
    ratios = (policy - reference).sum(1)
    x = BETA * (ratios[:half] - ratios[half:])
    c = batch["confidence"].to(x)
    if how == "soft":
        p = c + 0.5 * (1 - c)
        preference = -p * torch.log(torch.sigmoid(x)) - (1 - p) * torch.log(torch.sigmoid(-x))
        nll = -policy[:half].sum() / counted[:half].sum()
    else:
        preference = -c * torch.log(torch.sigmoid(x))
        nll = -(c * policy[:half].sum(1)).sum() / counted[:half].sum()
    loss = preference.mean() + ALPHA * nll
    loss.backward()
    return loss.detach(), torch.cat([p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None])


def first_batch(trainer):
    return trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))


def compare(trainer, how, tolerance=1e-10):
    torch.manual_seed(0)
    loss, _, gradients = step_of(trainer)
    expected_loss, expected = by_hand(trainer, first_batch(trainer), how)
    print(f"{how}: loss {(loss - expected_loss).abs():.1e}, gradients {(gradients - expected).abs().max():.1e}")
    assert loss.dtype == torch.float64
    assert abs(loss - expected_loss) < tolerance
    assert (gradients - expected).abs().max() < tolerance


def step_of(trainer):
    batch = first_batch(trainer)
    trainer.model.train()
    trainer.model.zero_grad()
    loss = trainer.compute_loss(trainer.model, batch)
    loss.backward()
    gradients = torch.cat([p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None])
    return loss.detach(), None, gradients


@pytest.mark.parametrize("adapter", [True, False], ids=["lora", "full"])
@pytest.mark.parametrize("packing", ["none", "rows", "prefix"])
@pytest.mark.parametrize("how", ["weights", "soft"])
def test_the_loss_is_the_formula(made, words, sure, tmp_path, exact, how, packing, adapter):  # noqa: F811
    extra = {"label_confidence": how}
    trainer = build(made("llama"), words, sure, tmp_path, packing, adapter=adapter, double=True, extra=extra, **CHANGES)
    compare(trainer, how)


@pytest.mark.parametrize("packing", ["none", "prefix"])
@pytest.mark.parametrize("how", ["weights", "soft"])
def test_the_focal_loss_is_the_formula(made, words, rows, tmp_path, exact, how, packing):  # noqa: F811
    focal = import_module("focal")
    settings = focal.FocalArguments(rejected_focus_weight=[0.3, 1.0, 0.0])
    sure = [{**row, "confidence": value} for row, value in zip(rows, CONFIDENCES, strict=False)]
    trainer = build(
        made("llama"), words, sure, tmp_path, packing, adapter=True, double=True, kind=focal.FocalDPOTrainer,
        extra={"label_confidence": how, "settings": settings}, **{**CHANGES, "max_length": 256},
    )  # fmt: skip
    assert "token_weights" in first_batch(trainer)
    compare(trainer, how, 1e-7)  # the weights 0.3 are float32


@pytest.mark.parametrize("how", ["weights", "soft"])
def test_a_precomputed_reference_gives_the_same_step(made, words, sure, tmp_path, how):  # noqa: F811
    found = []
    for packing, precompute in (("none", False), ("none", True), ("prefix", True)):
        changes = {**CHANGES, "precompute_ref_log_probs": precompute}
        extra = {"label_confidence": how}
        torch.manual_seed(0)
        found.append(step(build(made("llama"), words, sure, tmp_path, packing, adapter=True, extra=extra, **changes)))
    for other in found[1:]:
        assert abs(other[0] - found[0][0]) < 1e-5
        assert (other[2] - found[0][2]).abs().max() < 1e-5


@pytest.mark.parametrize("how", ["weights", "soft"])
def test_full_confidence_is_plain_dpo(made, words, sure, tmp_path, how):  # noqa: F811
    certain = [{**row, "confidence": 1.0} for row in sure]
    folder = made("llama")
    torch.manual_seed(0)
    plain = step(build(folder, words, certain, tmp_path, adapter=True, **CHANGES))
    torch.manual_seed(0)
    heard = step(build(folder, words, certain, tmp_path, adapter=True, extra={"label_confidence": how}, **CHANGES))
    assert heard[0] == plain[0]
    assert torch.equal(heard[2], plain[2])


@pytest.mark.parametrize("packing", ["none", "rows"])
def test_kto_by_weight_is_the_formula(made, words, rows, tmp_path, exact, packing):  # noqa: F811
    kto = import_module("kto")
    labelled = []
    for row, value in zip(rows, CONFIDENCES, strict=False):
        good = len(labelled) % 3 != 0
        text = row["chosen" if good else "rejected"]
        labelled.append({"prompt": row["prompt"], "completion": text, "label": good, "confidence": value})
    changes = {"desirable_weight": 0.7, "undesirable_weight": 1.3, "beta": BETA}
    trainer = built_kto(kto, made("llama"), words, labelled, tmp_path, packing, **changes)
    batch = first_batch(trainer)
    loss = trainer.compute_loss(trainer.model, batch).item()

    def ratios(kind):
        ids, mask = batch[f"{kind}input_ids"], batch[f"{kind}attention_mask"]
        counted = batch[f"{kind}completion_mask"][:, 1:]
        with torch.no_grad():
            policy = log_probs(trainer.model, ids, mask)
            with trainer.model.disable_adapter():
                return ((policy - log_probs(trainer.model, ids, mask)) * counted).sum(1)

    kl = ratios("KL_").mean().clamp(min=0)
    good = batch["label"].bool()
    signed = torch.where(good, ratios("") - kl, kl - ratios(""))
    each = torch.where(good, 0.7, 1.3).double() * batch["confidence"] * (1 - torch.sigmoid(BETA * signed))
    assert loss == pytest.approx(each.mean().item(), abs=1e-7)
    assert (trainer.desirable_weight, trainer.undesirable_weight) == (0.7, 1.3)


def built_kto(kto, folder, words, rows, out, packing, **changes):
    from datasets import Dataset
    from peft import LoraConfig
    from test_packing import exact_norms

    args = KTOConfig(
        output_dir=str(out), report_to="none", bf16=False, use_cpu=True, gradient_checkpointing=False, max_length=256,
        per_device_train_batch_size=4, train_sampling_strategy="sequential", save_strategy="no", **changes,
    )  # fmt: skip
    lora = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, lora_dropout=0.0)
    trainer = kto.PackedKTOTrainer(
        model=folder, args=args, train_dataset=Dataset.from_list(rows), processing_class=words, peft_config=lora,
        label_confidence="weights", packing=packing,
    )  # fmt: skip
    trainer.model.double()
    exact_norms(trainer.model)
    return trainer


@pytest.fixture
def sure_file(rows, tmp_path):
    path = tmp_path / "sure.jsonl"
    values = [CONFIDENCES[number % 4] for number in range(len(rows))]
    lines = [json.dumps({**row, "confidence": value}) for row, value in zip(rows, values, strict=True)]
    path.write_text("\n".join(lines))
    return str(path)


def test_accumulated_steps_and_passes_of_a_budget_are_the_batchs(train, losses, sure_file):
    options = {
        "dataset_name": sure_file, "label_confidence": "weights", "alpha": 0.0, "max_steps": 3, "max_length": 80,
        "chosen_guard": "off",
    }  # fmt: skip
    whole = losses(train("dpo", **options, per_device_train_batch_size=4))
    parts = losses(train("dpo", **options, per_device_train_batch_size=2, gradient_accumulation_steps=2))
    assert parts == pytest.approx(whole, rel=1e-4)
    passes = losses(train("dpo", **options, packing="prefix", max_tokens_per_batch=160))
    assert passes == pytest.approx(whole, rel=1e-4)
    assert losses(train("dpo", **{**options, "label_confidence": "none"})) != pytest.approx(whole, rel=1e-2)


@pytest.mark.parametrize(("method", "how"), [("focal_dpo", "soft"), ("kto", "weights")])
def test_a_run_says_what_it_listened_to(train, losses, sure_file, method, how):
    options = {"dataset_name": sure_file, "max_steps": 2, "eval_fraction": 0.3, "eval_strategy": "steps"}
    trainer = train(method, **options, label_confidence=how, chosen_guard="off", eval_steps=1)
    assert len(losses(trainer)) == 2
    assert all("eval_loss" in entry for entry in trainer.state.log_history if "eval_runtime" in entry)
    said = trainer.manifest
    assert said["config"]["label_confidence"] == how
    assert 0 <= said["checks"]["label confidence"]["lowest"] <= said["checks"]["label confidence"]["mean"] < 0.9
    assert "label_confidence" in Path(trainer.args.output_dir, "README.md").read_text()
