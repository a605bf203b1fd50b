"""Five tokenizer families, each trained in a moment on a little code, as code models have them."""

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

CHAT = ["<|im_start|>", "<|im_end|>"]
CORPUS = [
    "def first(items, default=None):\n    for item in items:\n        return item\n    return default\n",
    "def total(values):\n    result = 0\n    for value in values:\n        result += value\n    return result\n",
    "class Point:\n    def __init__(self, x, y):\n        self.x = x\n        self.y = y\n\n\n",
    "if n <= 1:\n    return n\nwhile left < right:\n\tleft += 1\n\n    # done: naïve\n",
    "print(f'{name}: {count:>3}')\r\nraise ValueError('no items')\r\n",
    "Write a function that returns the sum of all values in a list, or None.\n```python\nx = [1, 2, 3]\n```\n",
] * 4
# of cl100k and its descendants: punctuation takes line breaks along, indentation keeps off the line break
MODERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BYTES = [f"<0x{n:02X}>" for n in range(256)]


def byte_level():
    """GPT-2's split: a line break and the indentation after it are often one token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return trained(tokenizer, trainers.BpeTrainer(vocab_size=500, initial_alphabet=alphabet, **quiet()))


def modern_byte_level():
    """As byte_level, with the split of newer models."""
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(MODERN), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return trained(tokenizer, trainers.BpeTrainer(vocab_size=500, initial_alphabet=alphabet, **quiet()))


def word_piece():
    """BERT's: white space has no tokens, special tokens are added at both ends."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trained(tokenizer, trainers.WordPieceTrainer(vocab_size=400, **quiet("[UNK]", "[CLS]", "[SEP]")))
    return ends(tokenizer, "[CLS]", "[SEP]")


def unigram():
    """SentencePiece's Unigram: spaces become a visible sign, a sequence begins and ends with a special token."""
    tokenizer = Tokenizer(models.Unigram())
    lines = pre_tokenizers.Split(Regex(r"[\r\n]"), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([lines, pre_tokenizers.Metaspace(prepend_scheme="never")])
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="never")
    trained(tokenizer, trainers.UnigramTrainer(vocab_size=300, unk_token="<unk>", **quiet("<unk>", "<s>", "</s>")))
    return ends(tokenizer, "<s>", "</s>")


def byte_fallback():
    """Llama 2's: BPE over characters, unknown ones fall back to their bytes, a sequence begins with a special token."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\r\n]|▁+[^▁\r\n]*"), "isolated")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    trained(tokenizer, trainers.BpeTrainer(vocab_size=700, **quiet("<unk>", "<s>", *BYTES)))
    return ends(tokenizer, "<s>", None)


def quiet(*special):
    return {"special_tokens": [*special, *CHAT], "show_progress": False}


def trained(tokenizer, trainer):
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def ends(tokenizer, first, last):
    names = [name for name in (first, last) if name]
    template = processors.TemplateProcessing(
        single=" ".join(["$A" if name is None else name for name in (first, "$A", last) if name]),
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in names],
    )
    tokenizer.post_processor = template
    return tokenizer


FAMILIES = {f.__name__: f for f in (byte_level, modern_byte_level, word_piece, unigram, byte_fallback)}
