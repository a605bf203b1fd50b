"""A checkpoint small enough to train in seconds on a CPU: to try the recipes, not to write code.

python recipes/tiny/model.py runs/tiny
"""

import json
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

PAIRS = Path(__file__).parent / "pairs.jsonl"
PAD, START, END = "<|pad|>", "<|im_start|>", "<|im_end|>"
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tokenizer(vocabulary: int = 640) -> PreTrainedTokenizerFast:
    """A byte-level BPE learnt from the pairs in this folder, with padding, turn and end tokens and a chat template."""
    rows = [json.loads(line) for line in PAIRS.read_text(encoding="utf-8").splitlines()]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator((row[key] for row in rows for key in ("prompt", "chosen", "rejected")), trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=bpe, pad_token=PAD, eos_token=END)
    fast.chat_template = CHAT
    return fast


def make(out: str | Path, seed: int = 0) -> None:
    """Writes tokenizer and randomly initialised weights (fp32, about 0.15 million parameters) to a folder."""
    words = tokenizer()
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=64,
        # bitsandbytes repacks 4-bit weights for CPUs in blocks of 64 inputs and 32 outputs
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        pad_token_id=words.pad_token_id,
        eos_token_id=words.eos_token_id,
        bos_token_id=None,
        tie_word_embeddings=False,
    )
    LlamaForCausalLM(config).save_pretrained(out)
    words.save_pretrained(out)


if __name__ == "__main__":
    make(sys.argv[1] if len(sys.argv) > 1 else "runs/tiny")
