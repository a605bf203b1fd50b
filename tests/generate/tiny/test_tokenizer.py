import json
import random
from itertools import islice

import pytest
from tokenizers import Tokenizer

from codepref.generate.tiny import text, tokenizer
from codepref.generate.tiny.backend import CHECKPOINT
from codepref.generate.tiny.corpus import documents


@pytest.fixture(scope="module")
def words():
    return Tokenizer.from_file(str(CHECKPOINT / "tokenizer.json"))


def test_the_shipped_tokenizer_is_what_training_makes(trained_tokenizer):
    made = json.loads(trained_tokenizer.backend_tokenizer.to_str())
    shipped = json.loads((CHECKPOINT / "tokenizer.json").read_text())
    assert made["model"] == shipped["model"]
    assert made["pre_tokenizer"] == shipped["pre_tokenizer"]


def test_special_tokens_have_the_ids_the_code_counts_on(words):
    assert [words.token_to_id(token) for token in text.SPECIAL] == list(range(len(text.SPECIAL)))
    assert words.get_vocab_size() == tokenizer.VOCABULARY


def test_prompt_and_completion_never_share_a_token(words):
    for prompt, completion in islice(documents(random.Random(5)), 500):
        whole = words.encode(prompt + completion).ids
        assert whole == words.encode(prompt).ids + words.encode(completion).ids
        assert words.decode(whole, skip_special_tokens=False) == prompt + completion
        assert 0 not in whole


def test_any_text_survives(words):
    for line in ("naïve café", "数", "\t\r\n  x", 'print("a, -1")'):
        assert words.decode(words.encode(line).ids) == line
