import pytest
import torch

from codepref.generate import GenerationError, Sampling
from codepref.generate.local.draw import chooser, luck, stopper

PROBABILITIES = [0.5, 0.0, 0.3, 0.15, 0.05]


def drawn(sampling, count=20_000, width=3):
    logits = torch.tensor(PROBABILITIES).log().expand(count, -1)
    choose = chooser(sampling, luck(range(count), 2), width)
    one_hot = choose(torch.zeros(count, width + 1, dtype=torch.long), logits)
    assert one_hot.dtype == logits.dtype
    assert (one_hot.isfinite().sum(1) == 1).all()
    return (torch.bincount(one_hot.argmax(1), minlength=5) / count).tolist()


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


def test_a_row_of_luck_depends_on_its_seed_alone():
    assert torch.equal(luck([5, 7], 9)[1], luck([7], 9)[0])
    assert not torch.equal(luck([5], 9), luck([7], 9))
    # the same on every machine
    assert luck([7], 3)[0].tolist() == pytest.approx([0.2794, 0.2737, 0.8621], abs=1e-4)


def test_logits_that_are_no_numbers_are_an_error():
    choose = chooser(Sampling(temperature=1.0), luck([1], 1), 2)
    with pytest.raises(GenerationError, match="not finite"):
        choose(torch.zeros(1, 2, dtype=torch.long), torch.tensor([[0.0, float("nan")]]))


class Letters:
    """A tokenizer whose tokens are characters."""

    def batch_decode(self, rows, **_):
        return ["".join(map(chr, row)) for row in rows]


def test_a_row_stops_at_a_stop_text_of_its_own():
    stopped = stopper(Letters(), ("\n\n", "END"), width=3)
    rows = ["END x = 1\n\n", "ENDx = 1\n y", "p = x; END_", "END\n", "   E"]

    def now(text):
        return stopped(torch.tensor([list(map(ord, text))]), None).item()

    assert [now(row) for row in rows] == [True, False, True, False, False]
