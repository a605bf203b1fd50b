import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from codepref.generate.local.model import Model


@pytest.fixture(scope="module")
def tokenizer():
    """Words begin with a blank that is dropped at the start of a text, as LLaMA's first tokenizers do it."""
    words = ["▁def", "▁f", "():", "▁", "▁return", "▁1", "<0x0A>", "<unk>", "</s>", "▁▁▁▁"]
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Sequence([decoders.Metaspace(), decoders.ByteFallback(), decoders.Fuse()])
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="</s>", unk_token="<unk>")


def test_a_blank_at_the_start_of_an_answer_stays(tokenizer):
    model = Model(None, tokenizer, chat=False, ends=frozenset([8]))
    assert tokenizer.decode([4, 5]) == "return 1"  # why the prompt is needed
    completion = model._completion([0, 1, 2], 7, [4, 5, 8, 0], ())
    assert completion.text == " return 1"
    assert (completion.seed, completion.finish_reason) == (7, "stop")
    assert (completion.prompt_tokens, completion.completion_tokens) == (3, 3)


def test_a_stop_text_cuts_and_counts_as_the_end(tokenizer):
    model = Model(None, tokenizer, chat=False, ends=frozenset([8]))
    completion = model._completion([0], 7, [1, 2, 4, 5], ("return", "f("))
    assert (completion.text, completion.finish_reason, completion.completion_tokens) == (" ", "stop", 4)
    assert model._completion([0], 7, [1, 2, 4, 5], ("nothing",)).finish_reason == "length"


def test_padding_after_a_stop_text_is_no_token(tokenizer):
    model = Model(None, tokenizer, chat=False, ends=frozenset([8]))
    assert model._completion([0], 7, [1, 2, 8, 8, 8], ("f",)).completion_tokens == 2
    assert model._completion([0], 7, [1, 2, 8, 8, 8], ()).completion_tokens == 3
