"""Loss curves: the recorded ones, unmoved by accumulation, by being killed and by rounding."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
import torch

RECORDED = Path(__file__).parent / "curves.json"
STEPS = {"max_steps": 6, "chosen_guard": "off"}


@pytest.mark.parametrize("method", ["sft", "dpo", "kto", "focal_dpo"])
def test_the_recorded_curve(train, losses, method):
    steps = STEPS if method != "sft" else {"max_steps": 6}
    found = losses(train(method, **steps))
    recorded = json.loads(RECORDED.read_text())
    assert found == pytest.approx(recorded[method], rel=2e-3)


@pytest.mark.parametrize("method", ["dpo", "focal_dpo"])
def test_accumulation_does_not_move_the_curve(train, losses, method):
    # without the NLL term, which is a mean over the tokens of a micro-batch
    whole = losses(train(method, **STEPS, alpha=0.0))
    parts = losses(train(method, **STEPS, alpha=0.0, per_device_train_batch_size=1, gradient_accumulation_steps=4))
    assert parts == pytest.approx(whole, abs=1e-5)
    assert whole[0] != pytest.approx(whole[-1], abs=1e-2)


def killed_after(folder, run, limit_s=300):
    """Runs in a process of its own and kills that, without a word, once the checkpoint is there."""
    child = os.fork()
    if not child:
        try:
            run()
        finally:
            os._exit(1)
    deadline = time.monotonic() + limit_s
    while not (folder / "trainer_state.json").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)


def test_killed_and_resumed_is_the_same_curve(train, losses, tmp_path, qlora):
    steps = {**qlora, "max_steps": 16, "save_strategy": "steps", "save_steps": 5, "chosen_guard": "off"}
    whole = train("dpo", **steps, output_dir=str(tmp_path / "whole"))
    killed_after(tmp_path / "out" / "checkpoint-5", lambda: train("dpo", **steps))
    assert not (tmp_path / "out" / "adapter_model.safetensors").exists()
    assert "5 steps on 1 x cpu" in (tmp_path / "out" / "README.md").read_text()
    resumed = train("dpo", **steps, resume_from_checkpoint="last")
    assert resumed.state.global_step == 16
    assert losses(resumed) == losses(whole)
    ends = [torch.cat([p.flatten() for p in t.model.parameters() if p.requires_grad]) for t in (whole, resumed)]
    assert torch.allclose(*ends, atol=1e-6)


def test_small_steps_are_not_rounded_away(train, qlora):
    """At the learning rates of preference training, adapter weights in bf16 would stand still."""
    trainer = train("dpo", **qlora, learning_rate=5e-6, max_steps=4, seed=3)
    again = train("dpo", **qlora, learning_rate=0.0, max_steps=1, seed=3)
    start = {name: p.detach() for name, p in again.model.named_parameters() if "lora_A" in name}
    moved = [
        (p.detach() != start[name]).float().mean().item()
        for name, p in trainer.model.named_parameters()
        if name in start
    ]
    assert min(moved) > 0.9
