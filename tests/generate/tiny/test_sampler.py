import random

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from codepref.generate import Sampling
from codepref.generate.tiny import sampler, text
from codepref.generate.tiny.backend import CHECKPOINT
from codepref.generate.tiny.sampler import MARGIN, Sampler, TextJob, choose, uniforms
from codepref.generate.tiny.tasks import tasks

WARM = Sampling(temperature=0.9, max_tokens=60)


WORDS = Tokenizer.from_file(str(CHECKPOINT / "tokenizer.json"))


def loaded(threads=None):
    return Sampler(CHECKPOINT, text.SPECIAL.index(text.END), WORDS.encode("\n").ids[0], threads)


@pytest.fixture(scope="module")
def model():
    return loaded()


@pytest.fixture(scope="module")
def jobs():
    prompts = [form(task.prompt) for task in tasks("heldout", 12, 0) for form in (text.code_prompt, text.test_prompt)]
    return [
        TextJob(tuple(WORDS.encode(prompt).ids), 1000 * n + k) for n, prompt in enumerate(prompts) for k in range(5)
    ]


@pytest.fixture(scope="module")
def texts(model, jobs):
    return written(model, jobs, WARM)


def written(model, jobs, sampling):
    found = dict(model.write(jobs, sampling))
    return [found[n].ids for n in range(len(jobs))]


@pytest.mark.parametrize(("rows", "n"), [(1, 8), (7, 40), (64, 100)])
def test_a_text_does_not_depend_on_who_shares_its_batch(model, jobs, texts, rows, n, monkeypatch):
    monkeypatch.setattr(sampler, "ROWS", rows)
    order = random.Random(rows).sample(range(len(jobs)), n)
    assert written(model, [jobs[k] for k in order], WARM) == [texts[k] for k in order]


def test_a_text_does_not_depend_on_threads(jobs, texts):
    assert written(loaded(threads=1), jobs[:60], WARM) == texts[:60]


def test_float32_alone_would_not_have_promised_it(model, jobs, monkeypatch):
    exact, alone = model.exact.forward, []
    monkeypatch.setattr(model.exact, "forward", lambda *given: alone.append(1) or exact(*given))
    monkeypatch.setattr(sampler, "MARGIN", 0.02)
    assert written(model, jobs[:20], WARM)
    assert alone, "draws near an edge are decided by the exact network"


def test_cumulative_shares_are_as_exact_as_the_margin_says(model, jobs):
    largest = 0.0
    with torch.inference_mode():
        for job in jobs[::5]:
            ids = torch.tensor([job.ids] * 3)
            shares = [
                torch.softmax(net.forward(ids, net.cache(torch.zeros(3, dtype=torch.long), ids.shape[1]), 0) / 0.9, -1)
                for net in (model.network, model.exact)
            ]
            one, other = (share.cumsum(-1, dtype=torch.float64) for share in shares)
            largest = max(largest, float((one - other).abs().max()))
    assert 0 < largest < MARGIN / 5


def test_seeds_make_texts(model, jobs):
    prompt = jobs[0].ids
    found = written(model, [TextJob(prompt, seed) for seed in (1, 2, 3, 1)], Sampling(temperature=1.5, max_tokens=40))
    assert found[0] == found[3]
    assert len({tuple(ids) for ids in found}) == 3


def test_at_temperature_0_the_seed_does_not_matter(model, jobs):
    found = written(model, [TextJob(jobs[0].ids, seed) for seed in range(4)], Sampling(temperature=0))
    assert len({tuple(ids) for ids in found}) == 1


def test_texts_end_at_the_end_or_at_the_limit(model, jobs):
    done = dict(model.write(jobs[:10], Sampling(temperature=0, max_tokens=4)))
    assert all(len(item.ids) == 4 and not item.finished for item in done.values())
    whole = dict(model.write(jobs[:10], Sampling(temperature=0)))
    assert sum(item.finished for item in whole.values()) >= 8
    assert all(item.ids[-1] == model.end and model.end not in item.ids[:-1] for item in whole.values() if item.finished)


def test_a_text_ends_after_as_many_lines_as_it_may_have(model, jobs):
    tests = [job for job in jobs if WORDS.decode(list(job.ids), skip_special_tokens=False).endswith(text.TEST)][:20]
    whole = written(model, tests, WARM)
    for lines in (1, 2):
        cut = written(model, [TextJob(job.ids, job.seed, lines) for job in tests], WARM)
        assert all(one == other[: len(one)] for one, other in zip(cut, whole, strict=True))
        assert [WORDS.decode(ids).count("\n") for ids in cut] == [lines] * 20


def test_tokens_are_drawn_with_their_probabilities():
    logits = torch.log(torch.tensor([[0.5, 0.2, 0.3]])).repeat(20_000, 1)
    draws = uniforms(7, 20_000)
    tokens, sure = choose(logits, draws, Sampling())
    assert np.allclose(np.bincount(tokens, minlength=3) / 20_000, [0.5, 0.2, 0.3], atol=0.012)
    assert 0.998 < sure.mean() < 1
    edge = np.array([0.5 - MARGIN / 2, 0.5 + MARGIN / 2, 0.6])
    assert choose(logits[:3], edge, Sampling())[1].tolist() == [False, False, True]


def test_top_p_leaves_the_unlikely_out():
    logits = torch.log(torch.tensor([[0.5, 0.2, 0.3]])).repeat(5000, 1)
    tokens, _ = choose(logits, uniforms(8, 5000), Sampling(top_p=0.7))
    assert np.allclose(np.bincount(tokens, minlength=3) / 5000, [0.625, 0, 0.375], atol=0.025)
    _, sure = choose(logits[:1], np.array([0.3]), Sampling(top_p=0.8))
    assert not sure[0], "rounding decides whether the third token belongs"


def test_a_seed_has_numbers_of_its_own():
    assert uniforms(1, 5).tolist() == uniforms(1, 9)[:5].tolist()
    assert len(set(np.concatenate([uniforms(seed, 50) for seed in range(50)]).tolist())) == 2500
    assert 0 <= uniforms(3, 1000).min() < uniforms(3, 1000).max() < 1
