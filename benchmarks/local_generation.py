"""Tokens per second of `backend: local` beside plain `transformers` generate, on answers of mixed length, in one run.

    python benchmarks/local_generation.py MODEL [--prompts 24] [--batch-size 8] [--max-tokens 384] [--rounds 1]

Three ways take turns on the same prompts, batch size, dtype and sampling:

generate  `model.generate(do_sample=True)`, batch after batch, longest prompts first
seeded    the same, but every sample draws with its own seed, as `backend: local` does
local     `backend: local`: finished answers leave, others take their place
ct2       with --ctranslate2 FOLDER (`ct2-transformers-converter --quantization int8`): CTranslate2 on the same prompts

Counted are the tokens of the answers, up to their end. `equal`: how many texts of `local` are those of `seeded`.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from codepref.generate import Request, Sampling, sample_seed
from codepref.generate.cache import Cache
from codepref.generate.local import LocalConfig, LocalGenerator
from codepref.generate.local.draw import luck, pick
from codepref.generate.local.model import Model, loaded

TASKS = [
    "adds two numbers", "reverses a string", "sorts a list of words by length, then alphabetically",
    "parses a date like 2024-02-30 and returns None when there is no such day", "counts the words of a text",
    "finds the longest palindrome in a string", "evaluates an arithmetic expression with + - * / and parentheses",
    "merges overlapping intervals",
]  # fmt: skip
STYLES = [
    "Answer with the code alone, as short as it can be.",
    "Answer with the code, a docstring and type hints.",
    "Explain your idea first, then give the code, then five tests, then discuss time and memory.",
]


def requests(count: int) -> list[Request]:
    """Questions whose answers are of very different length."""
    pairs = [(task, style) for style in STYLES for task in TASKS]
    chosen = [pairs[number * 7 % len(pairs)] for number in range(count)]
    return [
        Request(f"p{number}", "code", f"Write a Python function that {task}. {style}")
        for number, (task, style) in enumerate(chosen)
    ]


def batches(model: Model, asked: Sequence[Request], size: int) -> list[list[int]]:
    """Numbers of requests, longest prompt first."""
    order = sorted(range(len(asked)), key=lambda number: -len(model.tokens(asked[number])))
    return [order[start : start + size] for start in range(0, len(order), size)]


def plain(model: Model, asked: Sequence[Request], sampling: Sampling, size: int, seeded: bool) -> dict[str, Any]:
    """What `generate` of transformers makes of the requests: texts, and tokens up to the end of each."""
    import torch
    import transformers

    texts, tokens = [""] * len(asked), 0
    torch.manual_seed(0)
    for numbers in batches(model, asked, size):
        prompts = [model.tokens(asked[number]) for number in numbers]
        width = max(map(len, prompts))
        ids = torch.tensor([[model.pad] * (width - len(prompt)) + prompt for prompt in prompts])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        settings = {"do_sample": not seeded, "max_new_tokens": sampling.max_tokens, "pad_token_id": model.pad}
        if not seeded:
            settings |= {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0}
        config = transformers.GenerationConfig(**settings, eos_token_id=sorted(model.ends))
        processors = [_seeds(asked, numbers, sampling, width)] if seeded else []
        with torch.inference_mode():
            output = model.model.generate(
                input_ids=ids, attention_mask=mask, generation_config=config, logits_processor=processors
            )
        for number, prompt, row in zip(numbers, prompts, output[:, width:].tolist(), strict=True):
            end = next((place for place, token in enumerate(row) if token in model.ends), len(row) - 1)
            texts[number] = model.completion(prompt, 0, row[: end + 1], ()).text
            tokens += end + 1
    return {"texts": texts, "tokens": tokens}


def _seeds(asked: Sequence[Request], numbers: Sequence[int], sampling: Sampling, width: int) -> Callable[..., Any]:
    import torch

    seeds = [sample_seed(0, asked[number].prompt_id, "code", 0) for number in numbers]
    random = torch.stack([luck(seed, sampling.max_tokens) for seed in seeds])

    def choose(ids: Any, scores: Any) -> Any:
        token = pick(scores, random[:, ids.shape[1] - width], sampling)
        return torch.full_like(scores, -torch.inf).scatter_(1, token[:, None], 0.0)

    return choose


def local(config: LocalConfig, asked: Sequence[Request], sampling: Sampling) -> dict[str, Any]:
    """What `backend: local` makes of the requests."""
    with tempfile.TemporaryDirectory() as folder, Cache(Path(folder) / "requests.sqlite") as cache:
        generator = LocalGenerator(config, sampling, cache)
        found = generator.generate(asked)
        return {"texts": [row[0].text for row in found], "tokens": generator.stats.completion_tokens}


def converted(folder: str, model: Model, asked: Sequence[Request], sampling: Sampling, size: int) -> dict[str, Any]:
    """What CTranslate2 makes of the requests; it draws without seeds of single samples, so texts are not compared."""
    import ctranslate2

    generator = ctranslate2.Generator(folder, device="cpu", intra_threads=0)
    prompts = [model.tokenizer.convert_ids_to_tokens(model.tokens(request)) for request in asked]
    made = generator.generate_iterable(
        prompts, max_batch_size=size, max_length=sampling.max_tokens, sampling_topk=0, sampling_topp=sampling.top_p,
        sampling_temperature=sampling.temperature, include_prompt_in_result=False,
        end_token=model.tokenizer.convert_ids_to_tokens(sorted(model.ends)),
    )  # fmt: skip
    return {"texts": [], "tokens": sum(len(answer.sequences_ids[0]) for answer in made)}


def main() -> None:
    """Prints one line a way and round, then the medians as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a folder, or ORG/NAME")
    parser.add_argument("--prompts", type=int, default=24)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--max-tokens", type=int, default=384)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--ctranslate2", metavar="FOLDER", help="the same model, converted")
    options = parser.parse_args()
    config = LocalConfig(options.model, batch_size=options.batch_size, dtype=options.dtype)
    sampling = Sampling(temperature=0.8, top_p=0.95, max_tokens=options.max_tokens)
    asked = requests(options.prompts)
    model = loaded(config, LocalGenerator(config, sampling, None).content)  # type: ignore[arg-type]
    ways: dict[str, Callable[[], dict[str, Any]]] = {
        "generate": lambda: plain(model, asked, sampling, options.batch_size, seeded=False),
        "seeded": lambda: plain(model, asked, sampling, options.batch_size, seeded=True),
        "local": lambda: local(config, asked, sampling),
    }
    if options.ctranslate2:
        ways["ct2"] = lambda: converted(options.ctranslate2, model, asked, sampling, options.batch_size)
    rates: dict[str, list[float]] = {name: [] for name in ways}
    texts: dict[str, list[str]] = {}
    for number in range(options.rounds):
        for name, way in ways.items():
            begun = time.monotonic()
            found = way()
            seconds = time.monotonic() - begun
            rates[name].append(found["tokens"] / seconds)
            texts[name] = found["texts"]
            print(f"{number}  {name:<9} {found['tokens']:>7,} tokens  {rates[name][-1]:6.1f} tokens/s", file=sys.stderr)
    median = {name: round(statistics.median(found), 1) for name, found in rates.items()}
    equal = sum(a == b for a, b in zip(texts["local"], texts["seeded"], strict=True))
    dtype = str(model.model.dtype).removeprefix("torch.")
    ratio = round(median["local"] / median["generate"], 2)
    print(json.dumps({"tokens/s": median, "ratio": ratio, "equal": f"{equal} of {len(asked)}", "dtype": dtype}))


if __name__ == "__main__":
    main()
