import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from codepref.generate import GenerationError
from codepref.generate.local import LocalConfig, release
from codepref.generate.local import model as model_module
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


def test_sixteen_bits_are_computed_as_the_processor_can(tmp_path, monkeypatch):
    import torch
    import transformers

    folder = make_model(tmp_path / "m")
    transformers.AutoModelForCausalLM.from_pretrained(folder).to(torch.float16).save_pretrained(folder)
    for quick, dtype, wanted in (
        (True, "auto", torch.bfloat16),
        (False, "auto", torch.float32),
        (False, "float16", torch.float16),
    ):
        monkeypatch.setattr(model_module, "computes_bfloat16", lambda quick=quick: quick)
        config = LocalConfig(folder, dtype=dtype, device="cpu")
        assert loaded(config, {"test": [dtype, quick]}).model.dtype == wanted
    release()
    assert str(_dtype(LocalConfig(folder), "cuda")) == "auto"


def test_a_model_without_keys_and_values_is_named():
    import transformers

    shape = {"vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 1, "state_size": 4}
    made = transformers.MambaForCausalLM(transformers.MambaConfig(**shape))
    with pytest.raises(GenerationError, match="mamba: such a model keeps no keys and values"):
        Model(made, None, chat=False, ends=frozenset()).new_cache()
