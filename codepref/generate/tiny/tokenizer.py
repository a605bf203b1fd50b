"""The tiny model's tokenizer: byte-level BPE that may merge over words, but over no line, digit or edge of a prompt.

Whole phrases and half lines of code become one token, which makes documents short and ties the model to its family.
"""

import random
from itertools import islice
from typing import Any

from codepref.generate.tiny import text
from codepref.generate.tiny.corpus import documents

VOCABULARY = 1024
DOCUMENTS = 12_000
SEED = 20
PIECES = r'def solve\(nums\):|"""|(?:, )?-?\d|\n *|, |[^\d\n",-]+|.'
"""A piece is never merged with its neighbour. The first two keep the edge between prompt and program clean."""


def train_tokenizer() -> Any:
    """The tokenizer (`transformers.PreTrainedTokenizerFast`); the same whatever the model's seed is."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(PIECES), "isolated"), bytes_])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(text.SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    texts = (prompt + completion for prompt, completion in islice(documents(random.Random(SEED)), DOCUMENTS))
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=text.PAD,
        eos_token=text.END,
        extra_special_tokens=list(text.SPECIAL[3:]),
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=512,
    )
