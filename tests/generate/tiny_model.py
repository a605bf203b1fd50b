"""A real but tiny language model in a folder: LLaMA architecture, random weights, a byte-level tokenizer."""

import json

WORDS = ["def ", "return ", "assert ", "    ", "print", "import ", "None", " == ", "lambda ", "self", "\n\n", "->"]
CHAT = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def make_model(folder, seed=0, chat=True, context=512, sharp=40.0, phrases=()):
    """Writes model and tokenizer, and returns the folder as text.

    `sharp` sets how far the logits are apart. With `phrases`, each of which becomes one token, its
    generation_config.json allows nothing else.
    """
    import torch
    import transformers

    torch.manual_seed(seed)
    tokenizer = make_tokenizer(chat, phrases)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = transformers.LlamaForCausalLM(config)
    with torch.no_grad():
        model.lm_head.weight *= sharp
    if phrases:
        spoken = {tokenizer.eos_token_id, *tokenizer.convert_tokens_to_ids(list(phrases))}
        model.generation_config.suppress_tokens = [i for i in range(len(tokenizer)) if i not in spoken]
    model.generation_config.do_sample = True  # what a chat model's file says; `transformers serve` needs it
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def make_tokenizer(chat, phrases=()):
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens([*WORDS, *phrases])
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|end|>", additional_special_tokens=["<|user|>", "<|assistant|>"]
    )
    made.chat_template = CHAT if chat else None
    return made


def make_adapter(model, folder, seed=1):
    """Writes a LoRA adapter that changes what the model says."""
    import peft
    import torch
    import transformers

    torch.manual_seed(seed)
    base = transformers.AutoModelForCausalLM.from_pretrained(model)
    adapted = peft.get_peft_model(base, peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj", "down_proj"]))
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=2.0)
    adapted.save_pretrained(folder)
    return str(folder)


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
