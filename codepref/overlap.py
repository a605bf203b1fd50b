"""What must not be trained on: prompts that are evaluation benchmarks'."""

import re

_BENCHMARK_IDS = {
    "HumanEval": r"human_?eval\w*[/_-]\d+",
    "MBPP": r"mbpp\w*[/_-]\d+",
    "BigCodeBench": r"big_?code_?bench\w*[/_-]\d+",
    "DS-1000": r"ds-?1000[/_-]\d+",
}


def benchmark_of(prompt_id: str) -> str | None:
    """The benchmark whose task this id names, or None."""
    for name, pattern in _BENCHMARK_IDS.items():
        if re.fullmatch(pattern, prompt_id, re.IGNORECASE):
            return name
    return None
