"""The benchmarks by name."""

import functools
from collections.abc import Callable
from pathlib import Path

from codepref.errors import CodeprefError
from evaluation import bigcodebench, ds1000, humaneval_plus, inputs, mbpp_plus, prompts, texts, tiny
from evaluation.benchmark import Benchmark, Problem

HUMANEVAL = "arXiv:2107.03374"
MBPP = "arXiv:2108.07732"
EVALPLUS = "arXiv:2305.01210"


def _completed(problem: Problem) -> str:
    return problem.prompt + problem.reference


def _alone(problem: Problem) -> str:
    return problem.reference


def _graded_program(problem: Problem) -> str:
    return str(problem.row["program"])


_NAMED: dict[str, Callable[[], Benchmark]] = {
    "humaneval": lambda: Benchmark(
        "humaneval", HUMANEVAL, texts.load_humaneval, humaneval_plus.program, _completed, texts.grade,
        prompts.humaneval, 768,
    ),
    "humaneval_plus": lambda: Benchmark(
        "humaneval_plus", EVALPLUS, humaneval_plus.load, humaneval_plus.program, _graded_program, inputs.grade,
        prompts.humaneval, 768,
    ),
    "mbpp": lambda: Benchmark(
        "mbpp", MBPP, texts.load_mbpp, mbpp_plus.program, _alone, texts.grade, prompts.mbpp, 768,
    ),
    "mbpp_plus": lambda: Benchmark(
        "mbpp_plus", EVALPLUS, mbpp_plus.load, mbpp_plus.program, _graded_program, inputs.grade, prompts.mbpp, 768,
    ),
    "ds1000": lambda: Benchmark(
        "ds1000", "arXiv:2211.11501", ds1000.load, ds1000.program, _alone, ds1000.grade, prompts.data_science, 1024,
        environment="ds1000", excused=ds1000.EXCUSED, bare=True, framed=True,
    ),
    "tiny": lambda: Benchmark(
        "tiny", "codepref", tiny.load, tiny.program, _alone, tiny.grade, tiny.asked, 192, bare=True,
    ),
}  # fmt: skip
NAMES = (*_NAMED, "bigcodebench")


def benchmark(name: str, split: str = "complete", subset: str = "full") -> Benchmark:
    """The benchmark of that name; raises `CodeprefError` for others. `split` and `subset` are BigCodeBench's."""
    if name in _NAMED:
        return _NAMED[name]()
    if name != "bigcodebench":
        raise CodeprefError(f"{name!r} is no benchmark; choose from {', '.join(NAMES)}")

    def load(path: Path | None) -> list[Problem]:
        problems = bigcodebench.load(path)
        return bigcodebench.hard(problems) if subset == "hard" and path is None else problems

    return Benchmark(
        f"bigcodebench_{split}" + ("_hard" if subset == "hard" else ""), "arXiv:2406.15877", load, bigcodebench.program,
        bigcodebench.reference, bigcodebench.grade, functools.partial(prompts.bigcodebench, split=split), 1280,
        environment="bigcodebench", threshold=0.99, excused=bigcodebench.EXCUSED, framed=True,
    )  # fmt: skip
