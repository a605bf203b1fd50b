"""Log-probabilities in tiles: exact, and never the whole logits. They are TRL's; what a recipe sets is how big a tile is."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from trl.kernels import ChunkedLogProbFunction, chunked_logprob

TOKENS, HIDDEN, WORDS = 150, 24, 10_000
OUTPUTS = ("log_probs", "entropy", "mean_logits", "is_top1")


@pytest.fixture
def given():
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(TOKENS, HIDDEN, dtype=torch.float64, generator=generator)
    weight = torch.randn(WORDS, HIDDEN, dtype=torch.float64, generator=generator)
    targets = torch.randint(0, WORDS, (TOKENS,), generator=generator)
    targets[:4] = torch.tensor([0, 4095, 4096, WORDS - 1])  # the edges of tiles
    weights = torch.randn(TOKENS, dtype=torch.float64, generator=generator)
    return hidden, weight, targets, weights


def whole(hidden, weight, targets, weights):
    """Log-probabilities and gradients from whole logits in float64."""
    hidden, weight = (value.clone().requires_grad_() for value in (hidden, weight))
    found = (hidden @ weight.T).log_softmax(-1).gather(-1, targets[:, None])[:, 0]
    (found * weights).sum().backward()
    return found.detach(), hidden.grad, weight.grad


def tiled(hidden, weight, targets, weights, words, outputs=OUTPUTS, freeze=False):
    """The same by TRL's kernel, which computes in float32."""
    hidden = hidden.float().requires_grad_()
    weight = weight.float().requires_grad_(not freeze)
    found = ChunkedLogProbFunction.apply(hidden, weight, None, targets, 1.0, words, None, 1.0, outputs)[0]
    (found * weights.float()).sum().backward()
    return found.detach(), hidden.grad, weight.grad


@pytest.mark.parametrize("tokens", [4096, 64], ids=["one tile of tokens", "three"])
@pytest.mark.parametrize("words", [32768, 4096, 1000])
def test_tiles_are_exact(given, monkeypatch, words, tokens):
    monkeypatch.setattr(chunked_logprob, "TOKEN_CHUNK_SIZE", tokens)
    for found, exact in zip(tiled(*given, words), whole(*given), strict=True):
        error = ((found.double() - exact).abs().max() / exact.abs().max()).item()
        assert error < 2e-6  # of float32, whose rounding is 6e-8


class Largest(TorchDispatchMode):
    """Notes how many elements the largest tensor has that is made."""

    def __init__(self):
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, function, kinds, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        for value in found if isinstance(found, tuple | list) else [found]:
            if isinstance(value, torch.Tensor):
                self.elements = max(self.elements, value.numel())
        return found


def test_whole_logits_are_never_made(given):
    hidden, _, targets, weights = given
    words = 151_936
    weight = torch.zeros(words, HIDDEN, dtype=torch.float64)
    with Largest() as largest:
        tiled(hidden, weight, targets, weights, 4096, freeze=True)
    assert largest.elements == words * HIDDEN  # the head's weights themselves
    assert largest.elements < TOKENS * words / 5
    with Largest() as largest:
        (hidden[:2] @ weight.T).log_softmax(-1)
    assert largest.elements >= 2 * words  # the measure sees them where they are


def test_a_recipe_makes_tiles_small_on_a_cpu(train, monkeypatch):
    from trl.trainer import utils

    tiles, kernel = [], utils._ChunkedLogProbFunction

    class Watched:
        @staticmethod
        def apply(*given):
            tiles.append(given[5])
            return kernel.apply(*given)

    monkeypatch.setattr(utils, "_ChunkedLogProbFunction", Watched)
    monkeypatch.setattr(utils, "_CHUNKED_LOGPROB_CHUNK_SIZE", 32768)
    train("dpo", max_steps=1, packing="prefix")
    assert set(tiles) == {4096}
