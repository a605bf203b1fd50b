"""Trains the tiny model from nothing: `codepref tiny train`.

The weights are a function of seed and number of steps: documents are drawn anew for every block of steps from the seed
and the block's number, nothing else is random but the first weights, and everything runs on one thread. So an
interrupted run ends with the same bytes as one that was left alone, on one machine with one version of PyTorch; other
processors round sums differently.
"""

import json
import math
import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from codepref.errors import CodeprefError
from codepref.files import replacing
from codepref.generate.tiny import text, tokenizer
from codepref.generate.tiny.corpus import documents

WIDTH, LAYERS, HEADS, INNER = 128, 4, 4, 384
"""INNER is a multiple of 64 (2 x 64 x 3): bitsandbytes' 4-bit layers on the CPU need blocks of 64."""
POSITIONS = 512
BLOCK = 16
"""Steps whose documents are drawn together, so that documents of like length share a batch."""
BATCH_TOKENS = 4096
WARM_UP, COOL_DOWN, HORIZON = 100, 300, 2400
"""Steps of the learning rate's schedule: it rises, follows a cosine that would end at HORIZON, and falls to zero in the
last steps, so a longer run begins like a shorter one."""
LOWEST_RATE = 0.02
"""Where the cosine ends, relative to the highest learning rate."""
SAVE_EVERY_S = 60.0
IGNORED = -100
STATE, RECORD = "state.pt", "training.json"

Say = Callable[[str], None]
Batch = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Training:
    """What the weights depend on."""

    seed: int = 0
    steps: int = 1500
    rate: float = 3e-3
    """Highest learning rate (AdamW)."""
    half: bool = True
    """Matrix products of bfloat16 numbers, summed in float32: half as long again on processors that have them."""
    device: str = "cpu"


def train(config: Training, out: Path, minutes: float | None = None, say: Say = print) -> bool:
    """Trains, or goes on with what lies in `out`.

    Args:
        config: What to train.
        out: Folder for the checkpoint (Hugging Face format, bfloat16) and the state of an unfinished run.
        minutes: Stop after that time, keeping the state: the same call goes on from there.
        say: Takes lines of progress.

    Returns:
        Whether the training is finished and the checkpoint written.

    Raises:
        CodeprefError: `out` holds the state of another training.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    words = tokenizer.train_tokenizer()
    run = _Run(config, words)
    run.restore(out / STATE)
    deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes
    saved = time.monotonic()
    for batch in batches(config, words, run.step):
        run.advance(batch)
        if run.step % 100 == 0 or run.step == config.steps:
            say(run.line())
        now = time.monotonic()
        if run.step < config.steps and (now > deadline or now - saved > SAVE_EVERY_S):
            run.save(out / STATE)
            saved = now
        if now > deadline and run.step < config.steps:
            say(f"stopped at step {run.step} of {config.steps}; the same command goes on")
            return False
    run.publish(out)
    (out / STATE).unlink(missing_ok=True)
    say(f"checkpoint: {out}")
    return True


def network(vocabulary: int, seed: int, half: bool) -> Any:
    """An untrained `transformers.LlamaForCausalLM` in float32 (`half`: see `Training`)."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=WIDTH,
            intermediate_size=INNER,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            num_key_value_heads=HEADS,
            max_position_embeddings=POSITIONS,
            tie_word_embeddings=True,
            bos_token_id=None,
            pad_token_id=text.SPECIAL.index(text.PAD),
            eos_token_id=text.SPECIAL.index(text.END),
        )
    )
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                weight.mul_(1 / math.sqrt(2 * LAYERS))
    for module in model.modules():
        if half and isinstance(module, torch.nn.Linear):
            module.__class__ = _HalfLinear
    return model


def rate_of(step: int, config: Training) -> float:
    """Learning rate of a step, from 0."""
    progress = min(1.0, step / HORIZON)
    cosine = LOWEST_RATE + (1 - LOWEST_RATE) * (1 + math.cos(math.pi * progress)) / 2
    return config.rate * min(1.0, (step + 1) / WARM_UP) * cosine * min(1.0, (config.steps - step) / COOL_DOWN)


def batches(config: Training, words: Any, start: int) -> Iterator[Batch]:
    """Batches of the steps from `start` on: token ids and labels, both (rows, longest), padded on the right."""
    for block in range(start // BLOCK, -(-config.steps // BLOCK)):
        rng = random.Random(f"{config.seed} {block}")
        drawn = _batches(_encoded(rng, words), rng)
        for step, batch in enumerate(drawn, start=block * BLOCK):
            if start <= step < config.steps:
                yield _tensors(batch, config.device)


Encoded = tuple[list[int], int]
"""Ids of a document and the length of its prompt."""


def _encoded(rng: random.Random, words: Any) -> list[Encoded]:
    """Documents for one block of steps."""
    source = documents(rng)
    found: list[Encoded] = []
    total = 0
    while total < BLOCK * BATCH_TOKENS:
        some = [next(source) for _ in range(256)]
        prompts = words([prompt for prompt, _ in some])["input_ids"]
        completions = words([completion + text.END for _, completion in some])["input_ids"]
        found += [(p + c, len(p)) for p, c in zip(prompts, completions, strict=True)]
        total = sum(len(ids) for ids, _ in found)
    return found


def _batches(found: list[Encoded], rng: random.Random) -> list[list[Encoded]]:
    """The documents in BLOCK batches of about as many tokens each, like lengths together, in random order."""
    result: list[list[Encoded]] = [[] for _ in range(BLOCK)]
    total, seen = sum(len(ids) for ids, _ in found), 0
    for document in sorted(found, key=lambda item: len(item[0])):
        result[seen * BLOCK // total].append(document)
        seen += len(document[0])
    rng.shuffle(result)
    return result


def _tensors(batch: list[Encoded], device: str) -> Batch:
    longest = max(len(ids) for ids, _ in batch)
    tokens = np.full((len(batch), longest), text.SPECIAL.index(text.PAD), dtype=np.int64)
    labels = np.full((len(batch), longest), IGNORED, dtype=np.int64)
    for row, (ids, start) in enumerate(batch):
        tokens[row, : len(ids)] = ids
        labels[row, start - 1 : len(ids) - 1] = ids[start:]
    return torch.from_numpy(tokens).to(device), torch.from_numpy(labels).to(device)


def loss_of(model: Any, batch: Batch) -> torch.Tensor:
    """Mean cross-entropy of the completions' tokens."""
    tokens, labels = batch
    hidden = model.model(input_ids=tokens, use_cache=False).last_hidden_state
    scored = labels != IGNORED
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[scored]), labels[scored])


class _Product(torch.autograd.Function):  # type: ignore[misc]
    """`inputs @ weight.T`, forward and backward, on bfloat16 copies."""

    @staticmethod
    def forward(context: Any, inputs: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        flat, small = inputs.flatten(0, -2).bfloat16(), weight.bfloat16()
        context.save_for_backward(flat, small)
        return (flat @ small.t()).float().view(*inputs.shape[:-1], -1)

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        flat, small = context.saved_tensors
        shape = gradients[0].shape[:-1]
        gradient = gradients[0].flatten(0, -2).bfloat16()
        return (gradient @ small).float().view(*shape, -1), (gradient.t() @ flat).float()


class _HalfLinear(torch.nn.Linear):  # type: ignore[misc]
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """See `_Product`."""
        return _Product.apply(inputs, self.weight)  # type: ignore[no-any-return,no-untyped-call]


class _Run:
    """The state of a training."""

    def __init__(self, config: Training, words: Any) -> None:
        self.config = config
        self.words = words
        self.model = network(len(words), config.seed, config.half).to(config.device)
        weights = list(self.model.parameters())
        groups = [
            {"params": [w for w in weights if w.ndim == 2], "weight_decay": 0.05},
            {"params": [w for w in weights if w.ndim != 2], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=config.rate, betas=(0.9, 0.98))
        self.step = self.tokens = 0
        self.loss = math.nan
        self.cpu_s = 0.0
        self._began = time.process_time()

    def advance(self, batch: Batch) -> None:
        """One step."""
        rate = rate_of(self.step, self.config)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss = loss_of(self.model, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        value = float(loss.detach())
        self.loss = value if math.isnan(self.loss) else 0.98 * self.loss + 0.02 * value
        self.step += 1
        self.tokens += batch[0].numel()

    def line(self) -> str:
        """Progress, for people."""
        spent = self.cpu_s + time.process_time() - self._began
        return (
            f"step {self.step}/{self.config.steps}  loss {self.loss:.4f}  {self.tokens / 1e6:.2f} M tokens  "
            f"{self.tokens / spent:,.0f} tokens a CPU second, {spent:.0f} CPU seconds"
        )

    def save(self, path: Path) -> None:
        """Keeps everything the next step depends on; a killed run finds the old state or the new one."""
        spent = self.cpu_s + time.process_time() - self._began
        state = {
            "config": asdict(self.config),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "numbers": [self.step, self.tokens, self.loss, spent],
        }
        with replacing(path) as part:
            torch.save(state, part)

    def restore(self, path: Path) -> None:
        """Takes up what `save` kept, if anything."""
        if not path.exists():
            return
        state = torch.load(path, map_location=self.config.device)
        if state["config"] != asdict(self.config):
            raise CodeprefError(f"{path}: state of another training ({state['config']}); name another folder")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.tokens, self.loss, self.cpu_s = state["numbers"]

    def publish(self, out: Path) -> None:
        """Writes the checkpoint and the record of how it was made."""
        record = {
            **asdict(self.config),
            "loss": self.loss,
            "tokens": self.tokens,
            "parameters": sum(weight.numel() for weight in self.model.parameters()),
            "cpu_s": round(self.cpu_s + time.process_time() - self._began),
            "torch": torch.__version__,
        }
        self.model.to(torch.bfloat16).save_pretrained(out)
        self.words.save_pretrained(out)
        (out / RECORD).write_text(json.dumps(record, indent=1) + "\n")
