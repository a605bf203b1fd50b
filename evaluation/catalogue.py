"""The benchmarks by name."""

import importlib

from codepref.benchmarks import FAMILIES
from codepref.errors import CodeprefError
from evaluation.benchmark import Benchmark

SPLITS = ("complete", "instruct")
SUBSETS = ("full", "hard")
RELEASES = (*(f"release_v{number}" for number in range(1, 7)), *(f"v{number}" for number in range(1, 7)))
"""`release_v3` has all tasks up to the third release, `v3` those that came with it, as upstream calls them."""


def _names() -> list[str]:
    """What can be asked for: every variant, those that are told apart by options by their family's name."""
    found = []
    for family in FAMILIES:
        by_options = any(variant.name.endswith((*SPLITS, *RELEASES)) for variant in family.variants)
        found += [family.key] if by_options else [variant.name for variant in family.variants]
    return found


NAMES = tuple(_names())


def benchmark(name: str, split: str = "complete", subset: str = "full", release: str = "release_v6") -> Benchmark:
    """The benchmark of that name, and of that split, subset and release where it has some.

    Raises:
        CodeprefError: there is none.
    """
    wanted = (name, f"{name}_{split}" + ("_hard" if subset == "hard" else ""), f"{name}_{release}")
    for family in FAMILIES:
        if any(variant.name in wanted for variant in family.variants):
            return next(found for found in benchmarks_of(family.key) if found.name in wanted)
    raise CodeprefError(f"{name!r} is no benchmark; choose from {', '.join(NAMES)}")


def benchmarks_of(key: str) -> tuple[Benchmark, ...]:
    """The benchmarks of a family, from the module with its name: so a new one is a file here and a row there."""
    found: tuple[Benchmark, ...] = importlib.import_module(f"evaluation.{key}").BENCHMARKS
    return found
