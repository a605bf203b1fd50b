"""Focal DPO: equal to stock where it must be, to the formula where it differs, and exactly zero where it is masked."""

import pytest
import torch
import torch.nn.functional as F
from datasets import Dataset
from peft import LoraConfig
from trl import DPOConfig, DPOTrainer

from codepref.errors import CodeprefError

ALPHA, BETA = 0.5, 0.1


@pytest.fixture(scope="module")
def focal():
    import focal

    return focal


def build(kind, tiny, words, rows, tmp_path, settings=None, **changes):
    values = {
        "output_dir": str(tmp_path), "report_to": "none", "bf16": False, "use_cpu": True, "per_device_train_batch_size": 4,
        "gradient_checkpointing": False, "loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, ALPHA], "beta": BETA,
        "save_strategy": "no", "max_length": 256,
    }  # fmt: skip
    # weights that differ from the reference's, so that no log-ratio is zero
    adapter = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, lora_dropout=0.0)
    extra = {"settings": settings} if settings else {}
    return kind(
        model=str(tiny), args=DPOConfig(**{**values, **changes}), train_dataset=Dataset.from_list(rows),
        processing_class=words, peft_config=adapter, **extra,
    )  # fmt: skip


def step(trainer):
    """Loss, gradient of every trained weight in one vector, gradient of the last hidden states, and the batch."""
    batch = trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))
    trainer.model.train()
    trainer.model.zero_grad()
    seen = {}

    def keep(module, inputs, output):
        if output.requires_grad:
            output.retain_grad()
            seen["hidden"] = output

    hook = trainer.model.get_base_model().model.norm.register_forward_hook(keep)
    loss = trainer.compute_loss(trainer.model, batch)
    loss.backward()
    hook.remove()
    return loss.item(), gradients(trainer.model), seen["hidden"].grad.clone(), batch


def gradients(model):
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def formula(trainer, batch, weights):
    """Equations 3-8 of arXiv 2503.02783 from full logits: loss and gradients, written without any of TRL's code."""

    def log_probs(model):
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        return logits[:, :-1].log_softmax(-1).gather(-1, batch["input_ids"][:, 1:, None]).squeeze(-1)

    model = trainer.model
    model.zero_grad()
    policy = log_probs(model)
    with torch.no_grad(), model.disable_adapter():
        reference = log_probs(model)
    weights = weights[:, 1:]
    ratios = ((policy - reference) * weights).sum(1)
    pairs = len(ratios) // 2
    nll = -(policy * weights)[:pairs][weights[:pairs] > 0].mean()
    loss = -F.logsigmoid(BETA * (ratios[:pairs] - ratios[pairs:])).mean() + ALPHA * nll
    loss.backward()
    return loss.item(), gradients(model)


def settings_of(focal, chosen=(1.0, 1.0, 1.0), rejected=(0.0, 1.0, 0.0), focus="lines"):
    return focal.FocalArguments(focus=focus, chosen_focus_weight=list(chosen), rejected_focus_weight=list(rejected))


def test_parity(focal, tiny, words, rows, tmp_path, capsys):
    stock = step(build(DPOTrainer, tiny, words, rows, tmp_path))
    ones_settings = settings_of(focal, rejected=(1.0, 1.0, 1.0))
    ones = step(build(focal.FocalDPOTrainer, tiny, words, rows, tmp_path, ones_settings))
    assert ones[0] == stock[0]
    assert torch.equal(ones[1], stock[1])

    trainer = build(focal.FocalDPOTrainer, tiny, words, rows, tmp_path, settings_of(focal))
    loss, grads, hidden, batch = step(trainer)
    expected_loss, expected = formula(trainer, batch, batch["completion_mask"].float())
    assert loss == pytest.approx(expected_loss, abs=1e-5)
    assert torch.allclose(grads, expected, atol=1e-6)
    assert abs(loss - stock[0]) > 1e-3

    masked = (stock[3]["completion_mask"] == 1) & (batch["completion_mask"] == 0)
    predicts_masked = masked[:, 1:]
    assert not masked[: len(masked) // 2].any()
    assert masked.sum() > 50
    assert (hidden[:, :-1][predicts_masked] == 0).all()
    elsewhere = hidden[:, :-1][batch["completion_mask"][:, 1:].bool()].abs().max().item()
    assert elsewhere > 1e-4
    with capsys.disabled():
        half = len(masked) // 2
        print(
            f"\nfocal parity: all ones against stock |loss| {abs(ones[0] - stock[0]):.1e} |gradient| "
            f"{(ones[1] - stock[1]).abs().max():.1e}; focal against formula |loss| {abs(loss - expected_loss):.1e} "
            f"|gradient| {(grads - expected).abs().max():.1e}; gradient at {int(masked.sum())} masked positions "
            f"{hidden[:, :-1][predicts_masked].abs().max():.1e}, elsewhere {elsewhere:.1e}; rejected tokens counted "
            f"{int(batch['completion_mask'][half:].sum())} of {int(stock[3]['completion_mask'][half:].sum())}"
        )


def test_graded_weights_are_the_formula(focal, tiny, words, rows, tmp_path):
    settings = settings_of(focal, chosen=(1.0, 2.0, 1.0), rejected=(1.0, 1.0, 0.0), focus="middle")  # Focused-DPO
    trainer = build(focal.FocalDPOTrainer, tiny, words, rows, tmp_path, settings)
    loss, grads, _, batch = step(trainer)
    assert set(batch["token_weights"].unique().tolist()) == {0.0, 1.0, 2.0}
    expected_loss, expected = formula(trainer, batch, batch["token_weights"])
    assert loss == pytest.approx(expected_loss, abs=1e-5)
    assert torch.allclose(grads, expected, atol=1e-6)


@pytest.mark.parametrize("rejected", [(0.0, 1.0, 0.0), (0.3, 1.0, 0.3)], ids=["mask", "graded"])
def test_precomputed_reference_is_that_of_the_weighted_tokens(focal, tiny, words, rows, tmp_path, rejected):
    # the stock run first: its cached reference must not be taken for the focal one
    build(DPOTrainer, tiny, words, rows, tmp_path, precompute_ref_log_probs=True)
    live = step(build(focal.FocalDPOTrainer, tiny, words, rows, tmp_path, settings_of(focal, rejected=rejected)))
    kept = step(
        build(
            focal.FocalDPOTrainer, tiny, words, rows, tmp_path, settings_of(focal, rejected=rejected),
            precompute_ref_log_probs=True,
        )
    )  # fmt: skip
    assert kept[0] == pytest.approx(live[0], abs=1e-5)
    assert torch.allclose(kept[1], live[1], atol=1e-6)


def shown(focal, words, row, side):
    """The text of the tokens in focus."""
    text = focal.rendered(row, side, words)[0]
    plain = isinstance(row["prompt"], str)
    ids = words(text, add_special_tokens=plain)["input_ids"]
    cut = len(words(row["prompt"])["input_ids"]) if plain else 0
    tokenised = {"prompt_ids": ids[:cut]}
    for name in ("chosen", "rejected"):
        full = words(focal.rendered(row, name, words)[0], add_special_tokens=plain)["input_ids"]
        tokenised[f"{name}_ids"] = full[cut:]
    weights = {"chosen": [0.0, 1.0, 0.0], "rejected": [0.0, 1.0, 0.0]}
    found = focal.weigh({**row, **tokenised}, words, "lines", weights, None)[f"{side}_weights"]
    kept = [token for token, weight in zip(tokenised[f"{side}_ids"], found, strict=True) if weight]
    return words.decode(kept)


def test_focus_of_plain_rows_and_messages_is_the_same_text(focal, words, rows):
    for row in rows:
        messages = {
            **row,
            "prompt": [{"role": "user", "content": row["prompt"]}],
            **{side: [{"role": "assistant", "content": row[side]}] for side in ("chosen", "rejected")},
        }
        lines = [row["rejected"][a:b] for a, b in row["rejected_spans"]]
        for form in (row, messages):
            text = shown(focal, words, form, "rejected")
            assert all(line.strip() in text for line in lines), (lines, text)
            assert len(text) <= sum(map(len, lines)) + 8 * len(lines)


def test_a_template_that_trims_does_not_shift_the_focus(focal, tiny, rows):
    from transformers import AutoTokenizer

    words = AutoTokenizer.from_pretrained(tiny)
    words.chat_template = words.chat_template.replace("message['content']", "message['content'] | trim")
    row = {
        "prompt": [{"role": "user", "content": "end"}],
        "chosen": [{"role": "assistant", "content": "\n\n  end = 1\nreturn\n"}],
        "rejected": [{"role": "assistant", "content": "\n\n  end = 2\nreturn\n"}],
        "chosen_spans": [[2, 11]],
        "rejected_spans": [[2, 11]],
    }
    assert shown(focal, words, row, "rejected").strip() == "end = 2"


@pytest.mark.parametrize(
    ("code", "other", "expected"),
    [
        ("a\nb\nc\n", "a\nX\nc\n", ["b"]),
        ("a\nb\nc\n", "a\nc\n", ["b"]),
        ("a\nc\n", "a\nb\nc\n", []),
        ("a\na\n", "a\n", ["a"]),
        ("x\nb\ny", "a\nb\nc", ["x\nb\ny"]),
        ("same\n", "same\n", []),
    ],
)
def test_middle(focal, code, other, expected):
    assert [code[a:b] for a, b in focal.middle(code, other)] == expected


def test_zones(focal):
    assert focal.zones([0, 1, 0, 1, 0], [0.1, 2.0, 0.3]) == [0.1, 2.0, 0.3, 2.0, 0.3]
    assert focal.zones([0, 0], [0.1, 2.0, 0.3]) == [0.1, 0.1]


def test_pairs_whose_focus_is_cut_away_are_dropped_and_counted(train, rows, tmp_path):
    import json

    late = {**rows[0], "chosen": rows[0]["chosen"], "rejected": "x = 1\n" * 200 + "y = 2\n"}
    late["rejected_spans"] = [[len("x = 1\n" * 200), len("x = 1\n" * 200) + 5]]
    none = {**rows[1], "rejected_spans": []}
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, late, none]))
    trainer = train("focal_dpo", dataset_name=str(path), max_steps=1)
    assert trainer.dropped == {"without focal tokens": 1, "focal tokens cut off": 1}
    assert len(trainer.train_dataset) == len(rows)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"loss_type": ["ipo"]}, "ipo"),
        ({"ld_alpha": 0.5}, "ld_alpha"),
        ({"rejected_focus_weight": [1.0, 2.0]}, "three numbers"),
        ({"rejected_focus_weight": [1.0, -2.0, 0.0]}, "three numbers"),
        ({"max_length": 8}, "max_length"),
    ],
)
def test_what_would_not_be_focal_is_refused(train, changes, said):
    with pytest.raises(CodeprefError, match=said):
        train("focal_dpo", **changes)


def test_a_dataset_without_spans_is_refused_in_one_line(train, rows, tmp_path):
    import json

    path = tmp_path / "pairs.jsonl"
    kept = [{key: row[key] for key in ("prompt", "chosen", "rejected")} for row in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in kept))
    with pytest.raises(
        CodeprefError, match=r"no column chosen_spans, rejected_spans .* needs a dataset with spans"
    ) as told:
        train("focal_dpo", dataset_name=str(path))
    assert "\n" not in str(told.value)
    assert train("focal_dpo", dataset_name=str(path), focus="middle", max_steps=1).state.global_step == 1
