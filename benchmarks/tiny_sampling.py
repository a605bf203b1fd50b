"""Tokens a second of the tiny model's sampler, next to `generate` of transformers on the same weights.

    python benchmarks/tiny_sampling.py [--prompts 60] [--rounds 3]

Both draw 15 programs a prompt at temperature 0.9, one thread each; rounds alternate, so that other work on the machine
hits both. CPU seconds are the fair measure there. A third row uses all cores.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence

import torch

from codepref.generate import Sampling
from codepref.generate.tiny import text
from codepref.generate.tiny.backend import CHECKPOINT
from codepref.generate.tiny.sampler import LONGEST, Sampler, TextJob
from codepref.generate.tiny.tasks import tasks

SAMPLES, TEMPERATURE = 15, 0.9
PAD = text.SPECIAL.index(text.PAD)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--prompts", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    words = AutoTokenizer.from_pretrained(CHECKPOINT)
    model = AutoModelForCausalLM.from_pretrained(CHECKPOINT, dtype=torch.float32).eval()
    prompts = [task.prompt for task in tasks("heldout", arguments.prompts, 0)]
    ways: dict[str, Callable[[], int]] = {
        "transformers, 12 prompts a batch": lambda: with_transformers(model, words, prompts),
        "tiny, 1 thread": lambda: with_sampler(words, prompts, 1),
        f"tiny, {len(os.sched_getaffinity(0))} threads": lambda: with_sampler(words, prompts, None),
    }
    rounds = [[timed(name, way) for name, way in ways.items()] for _ in range(arguments.rounds)]
    print("| | tokens | tokens a second | tokens a CPU second |\n|---|---|---|---|")
    best = [max(row, key=lambda item: item["per_cpu_s"]) for row in zip(*rounds, strict=True)]
    for row in best:
        print(f"| {row['way']} | {row['tokens']:,} | {row['per_s']:,.0f} | {row['per_cpu_s']:,.0f} |")
    print(json.dumps(rounds))


def timed(name: str, way: Callable[[], int]) -> dict[str, float | str]:
    """One run."""
    wall, cpu = time.perf_counter(), time.process_time()
    tokens = way()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"way": name, "tokens": tokens, "per_s": tokens / wall, "per_cpu_s": tokens / cpu}


def with_sampler(words: object, prompts: Sequence[str], threads: int | None) -> int:
    """Tokens written."""
    ids = [tuple(words(prompt)["input_ids"]) for prompt in prompts]  # type: ignore[operator]
    jobs = [TextJob(row, 100 * n + k) for n, row in enumerate(ids) for k in range(SAMPLES)]
    sampler = Sampler(CHECKPOINT, text.SPECIAL.index(text.END), words("\n")["input_ids"][0], threads)  # type: ignore[operator]
    return sum(len(done.ids) for _, done in sampler.write(jobs, Sampling(temperature=TEMPERATURE)))


def with_transformers(model: object, words: object, prompts: Sequence[str]) -> int:
    """Tokens written."""
    torch.manual_seed(0)
    written = 0
    for start in range(0, len(prompts), 12):
        given = words(list(prompts[start : start + 12]), padding=True, return_tensors="pt")  # type: ignore[operator]
        made = model.generate(  # type: ignore[attr-defined]
            **given,
            do_sample=True,
            temperature=TEMPERATURE,
            top_k=0,
            num_return_sequences=SAMPLES,
            max_new_tokens=LONGEST,
        )
        written += int((made[:, given["input_ids"].shape[1] :] != PAD).sum())
    return written


if __name__ == "__main__":
    main()
