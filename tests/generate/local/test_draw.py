import pytest
import torch

from codepref.generate import GenerationError, Sampling
from codepref.generate.local.draw import HEAD, luck, pick, stopped

PROBABILITIES = [0.5, 0.0, 0.3, 0.15, 0.05]


def drawn(sampling, count=20_000):
    logits = torch.tensor(PROBABILITIES).log().expand(count, -1)
    numbers = torch.stack([luck(seed, 1)[0] for seed in range(count)])
    return (torch.bincount(pick(logits, numbers, sampling), minlength=5) / count).tolist()


def near(shares):
    return pytest.approx(shares, abs=0.012)  # more than three standard deviations of 20,000 draws


def test_tokens_come_as_often_as_they_are_likely():
    assert drawn(Sampling(temperature=1.0)) == near(PROBABILITIES)
    assert drawn(Sampling(temperature=1.0))[1] == 0


def test_temperature_sharpens_and_flattens():
    for temperature in (0.5, 1.5):
        powers = [p ** (1 / temperature) for p in PROBABILITIES]
        assert drawn(Sampling(temperature=temperature)) == near([p / sum(powers) for p in powers])


@pytest.mark.parametrize(("top_p", "kept"), [(0.01, [0]), (0.5, [0]), (0.51, [0, 2]), (0.8, [0, 2]), (0.9, [0, 2, 3])])
def test_top_p_keeps_the_likeliest_tokens(top_p, kept):
    whole = sum(PROBABILITIES[i] for i in kept)
    shares = [PROBABILITIES[i] / whole if i in kept else 0.0 for i in range(5)]
    assert drawn(Sampling(temperature=1.0, top_p=top_p)) == near(shares)


@pytest.mark.parametrize("top_p", [0.05, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("flat", [0.0, 0.5, 3.0])
def test_the_nucleus_is_that_of_the_whole_vocabulary(top_p, flat):
    """Also where it is larger than the head that is looked at first, and where many tokens are equally likely."""
    generator = torch.Generator().manual_seed(3)
    logits = (flat * torch.randn(40, 3 * HEAD, generator=generator)).round(decimals=1)
    numbers = torch.rand(40, generator=generator, dtype=torch.float64)
    tokens = pick(logits, numbers, Sampling(top_p=top_p, temperature=1.0))
    for row, number, token in zip(logits, numbers, tokens, strict=True):
        probability = row.double().softmax(-1)
        ordered, order = probability.sort(descending=True, stable=True)
        kept = order[(ordered.cumsum(-1) - ordered) < top_p].sort().values
        shares = probability[kept].cumsum(-1)
        assert kept[(shares <= number * shares[-1]).sum()] == token


def test_temperature_zero_takes_the_likeliest():
    assert pick(torch.tensor([[0.0, 2.0, 1.0], [3.0, 2.0, 1.0]]), None, Sampling(temperature=0)).tolist() == [1, 0]


def test_luck_depends_on_the_seed_alone():
    assert torch.equal(luck(7, 9), luck(7, 9))
    assert not torch.equal(luck(5, 9), luck(7, 9))
    # the same on every machine
    assert luck(7, 3).tolist() == pytest.approx([0.2794, 0.2737, 0.8621], abs=1e-4)


def test_logits_that_are_no_numbers_are_an_error():
    with pytest.raises(GenerationError, match="not finite"):
        pick(torch.tensor([[0.0, float("nan")]]), luck(1, 1), Sampling(temperature=1.0))


class Letters:
    """A tokenizer whose tokens are characters."""

    def decode(self, row, **_):
        return "".join(map(chr, row))


def test_a_row_stops_at_a_stop_text_of_its_own():
    def now(text):
        return stopped(Letters(), list(map(ord, text)), ("\n\n", "END"))

    assert [now(row) for row in (" x = 1\n\n", "x = 1\n y", " x; END_", "\n", "E")] == [True, False, True, False, False]
    assert not stopped(Letters(), [1], ())
