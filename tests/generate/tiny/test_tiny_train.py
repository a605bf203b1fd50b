import hashlib
import json

import pytest
import torch
from transformers import AutoModelForCausalLM

from codepref.errors import CodeprefError
from codepref.generate.tiny import tokenizer, train
from codepref.generate.tiny.train import Training


@pytest.fixture(autouse=True)
def _small(monkeypatch, trained_tokenizer):
    """Batches an eighth as large and a short schedule: the same path, in a second or two."""
    monkeypatch.setattr(train, "BATCH_TOKENS", 512)
    monkeypatch.setattr(train, "WARM_UP", 5)
    monkeypatch.setattr(train, "COOL_DOWN", 5)
    monkeypatch.setattr(tokenizer, "train_tokenizer", lambda: trained_tokenizer)
    yield
    torch.use_deterministic_algorithms(False)


def weights(folder):
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_thirty_steps_are_the_same_bytes_also_when_interrupted(tmp_path):
    config, lines = Training(seed=3, steps=30), []
    assert train.train(config, tmp_path / "whole", say=lines.append)
    assert not train.train(config, tmp_path / "parts", minutes=1e-9, say=lines.append)
    assert (tmp_path / "parts" / train.STATE).exists()
    assert "stopped at step 1 of 30; the same command goes on" in lines[-1]
    assert train.train(config, tmp_path / "parts", say=lines.append)
    assert weights(tmp_path / "whole") == weights(tmp_path / "parts")
    assert not (tmp_path / "parts" / train.STATE).exists()
    record = json.loads((tmp_path / "whole" / train.RECORD).read_text())
    assert record["steps"] == 30 and record["seed"] == 3 and record["loss"] < 6.8
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "whole")
    assert model.dtype == torch.bfloat16
    assert sum(weight.numel() for weight in model.parameters()) == record["parameters"] < 1_000_000


def test_a_longer_run_begins_like_a_shorter_one():
    short, long = (Training(steps=steps) for steps in (40, 80))
    rates = [[train.rate_of(step, config) for step in range(40)] for config in (short, long)]
    assert rates[0][:35] == rates[1][:35]
    assert 0 < rates[0][39] < rates[0][34] / 4
    assert rates[0][0] < rates[0][4]


def test_another_seed_is_another_model(tmp_path):
    for seed in (0, 1):
        train.train(Training(seed=seed, steps=2), tmp_path / str(seed), say=lambda line: None)
    assert weights(tmp_path / "0") != weights(tmp_path / "1")


def test_the_state_of_another_training_is_not_taken_up(tmp_path):
    train.train(Training(seed=0, steps=4), tmp_path, minutes=1e-9, say=lambda line: None)
    with pytest.raises(CodeprefError, match="state of another training"):
        train.train(Training(seed=1, steps=4), tmp_path, say=lambda line: None)


def test_only_completions_are_learnt(trained_tokenizer):
    words = trained_tokenizer
    tokens, labels = next(train.batches(Training(steps=1), words, 0))
    scored = labels != train.IGNORED
    assert (labels[:, :-1][scored[:, :-1]] == tokens[:, 1:][scored[:, :-1]]).all()
    assert 0.4 < scored.float().mean() < 0.8
    first = scored.int().argmax(1)
    heads = [words.decode(row[: place + 1]) for row, place in zip(tokens.tolist(), first.tolist(), strict=True)]
    assert all(head.endswith(('"""', "<|test|>", "<|fix|>")) for head in heads)


def test_products_of_halves_are_close_to_those_of_floats():
    torch.manual_seed(0)
    inputs, weight = torch.randn(5, 7, 64, requires_grad=True), torch.randn(32, 64, requires_grad=True)
    gradient = torch.randn(5, 7, 32)
    ours = train._Product.apply(inputs, weight)
    found = torch.autograd.grad(ours, (inputs, weight), gradient)
    wanted = torch.autograd.grad(inputs @ weight.t(), (inputs, weight), gradient)
    torch.testing.assert_close(ours, inputs @ weight.t(), atol=0.2, rtol=0.02)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=0.3, rtol=0.03)
