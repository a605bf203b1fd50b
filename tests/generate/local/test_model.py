import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from codepref.generate.local import LocalConfig, release
from codepref.generate.local.model import Model, _dtype, loaded

from generate.tiny_model import make_model  # isort: skip


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
    completion = model.completion([0, 1, 2], 7, [4, 5, 8], ())
    assert completion.text == " return 1"
    assert (completion.seed, completion.finish_reason) == (7, "stop")
    assert (completion.prompt_tokens, completion.completion_tokens) == (3, 3)


def test_a_stop_text_cuts_and_counts_as_the_end(tokenizer):
    model = Model(None, tokenizer, chat=False, ends=frozenset([8]))
    completion = model.completion([0], 7, [1, 2, 4, 5], ("return", "f("))
    assert (completion.text, completion.finish_reason, completion.completion_tokens) == (" ", "stop", 4)
    assert model.completion([0], 7, [1, 2, 4, 5], ("nothing",)).finish_reason == "length"


def test_sixteen_bits_are_computed_as_the_processor_can(tmp_path):
    import torch
    import transformers

    folder = make_model(tmp_path / "m")
    transformers.AutoModelForCausalLM.from_pretrained(folder).to(torch.float16).save_pretrained(folder)
    quick = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    for dtype, wanted in ("auto", torch.bfloat16 if quick else torch.float32), ("float16", torch.float16):
        config = LocalConfig(folder, dtype=dtype, device="cpu")
        assert loaded(config, {"test": dtype}).model.dtype == wanted
    release()
    assert str(_dtype(LocalConfig(folder), "cuda")) == "auto"
