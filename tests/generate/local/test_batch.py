"""Rows that leave and join give the texts they would give alone."""

import pytest
import torch
import transformers

from codepref.generate import Sampling
from codepref.generate.local.batch import Batch, Row
from codepref.generate.local.model import Model

from generate.tiny_model import make_tokenizer  # isort: skip

PROMPTS = [[5, 6, 7], [9], [30, 31, 32, 33, 34, 35, 36], [4, 4], [50, 60, 70, 80]]
SAMPLING = Sampling(temperature=1.0, max_tokens=24)


def llama(**more):
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**SHAPE, **more))


def windows(**more):
    config = transformers.MistralConfig(**SHAPE, sliding_window=6, **more)
    return transformers.MistralForCausalLM(config)


def learned_positions(**more):
    shape = {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": SHAPE["vocab_size"], "n_positions": 64}
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(**shape, **more))


def biases(**more):
    config = transformers.BloomConfig(vocab_size=SHAPE["vocab_size"], hidden_size=32, n_layer=2, n_head=4, **more)
    return transformers.BloomForCausalLM(config)


SHAPE = {
    "vocab_size": 280, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64,
}  # fmt: skip


def write(model, size, joined=1):
    """The tokens of every answer, at most `size` at a time."""
    waiting = [Row(number, prompt, seed=number) for number, prompt in enumerate(PROMPTS)]
    batch, done = Batch(model, SAMPLING), {}
    while waiting or batch.rows:
        free = min(size - len(batch.rows), len(waiting))
        if free and batch.may_join() and (not batch.rows or free >= joined):
            batch.join(waiting[:free])
            waiting = waiting[free:]
        batch.draw()
        done |= {row.name: row.tokens for row in batch.take_ended()}
        batch.advance()
    return [done[number] for number in range(len(PROMPTS))]


@pytest.mark.parametrize("kind", [llama, windows, learned_positions, biases])
def test_equal_prompts_are_read_once(kind, monkeypatch):
    torch.manual_seed(1)
    made = kind(bos_token_id=None, eos_token_id=None).eval()
    model = Model(made, make_tokenizer(chat=False), chat=False, ends=frozenset(range(0, 280, 9)))
    read, usual = [], Model.forward

    def forward(self, ids, mask, cache):
        read.append(tuple(ids.shape))
        return usual(self, ids, mask, cache)

    monkeypatch.setattr(Model, "forward", forward)
    prompts = [PROMPTS[2], PROMPTS[0], PROMPTS[2], PROMPTS[2], PROMPTS[0]]
    batch, done = Batch(model, SAMPLING), {}
    batch.join([Row(number, prompt, seed=number) for number, prompt in enumerate(prompts)])
    assert read == [(2, 7)]
    while batch.rows:
        batch.draw()
        done |= {row.name: row.tokens for row in batch.take_ended()}
        batch.advance()
    for number, prompt in enumerate(prompts):
        assert done[number] == alone(model, prompt, number)


def alone(model, prompt, seed):
    batch = Batch(model, SAMPLING)
    batch.join([Row("alone", prompt, seed=seed)])
    while batch.rows:
        batch.draw()
        if ended := batch.take_ended():
            return ended[0].tokens
        batch.advance()
    raise AssertionError("no answer")


@pytest.mark.parametrize("kind", [llama, windows, learned_positions, biases])
def test_answers_do_not_depend_on_company(kind):
    torch.manual_seed(1)
    made = kind(bos_token_id=None, eos_token_id=None).eval()
    tokenizer = make_tokenizer(chat=False)
    model = Model(made, tokenizer, chat=False, ends=frozenset(range(0, 280, 9)))
    expected = write(model, 1)
    assert len({len(answer) for answer in expected}) > 1
    assert write(model, 2) == write(model, 3, joined=2) == write(model, 5) == expected


def test_answers_go_on_where_they_stopped():
    """As after a batch that was too large for the memory."""
    torch.manual_seed(1)
    model = Model(llama(bos_token_id=None, eos_token_id=None).eval(), make_tokenizer(False), False, frozenset())
    whole = write(model, 5)
    batch = Batch(model, SAMPLING)
    batch.join([Row(number, prompt, seed=number) for number, prompt in enumerate(PROMPTS)])
    for _ in range(10):
        batch.draw()
        assert batch.take_ended() == []
        batch.advance()
    rows = batch.leave()
    assert batch.rows == []
    batch.join(rows)
    done = []
    while batch.rows:
        batch.draw()
        done += batch.take_ended()
        batch.advance()
    assert [row.tokens for row in sorted(done, key=lambda row: row.name)] == whole
