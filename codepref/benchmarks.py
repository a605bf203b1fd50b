"""Facts about code benchmarks: names, where their data lies and at which commit, how their tasks are named.

Whoever needs one of these facts reads it here: decontamination, evaluation, cards, and the Hub's leaderboard entries.
How a benchmark is prompted and graded stands in `evaluation/KEY.py`.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class HubData:
    """Rows of a dataset on the Hub."""

    hub: str
    """ORG/NAME."""
    revision: str
    """Commit: what is read never changes."""
    parts: tuple[tuple[str | None, str], ...] = ()
    """Its configs and splits."""
    files: tuple[str, ...] = ()
    """Its files, where they are read as they are: the loading script of such a set is not run."""


@dataclass(frozen=True)
class Variant:
    """One way of scoring a benchmark; `name` is what `codepref evaluate` and its results call it."""

    name: str
    data: HubData | None
    """What it is graded on."""
    leaderboard_task: str | None = None
    """Task of the Hub's leaderboard for this dataset; None where there is none."""
    problems: int = 0
    """Problems of it, at least: a local copy of its data may hold fewer, and scores on those are not published."""


@dataclass(frozen=True)
class Family:
    """A benchmark with all its variants."""

    key: str
    """What configurations call it, and the name of its module in evaluation/."""
    title: str
    id_pattern: str | None
    """Regular expression of its task ids, in any case of letters; None: ids do not tell its tasks."""
    variants: tuple[Variant, ...]
    data: HubData | None = None
    """All its tasks, for decontamination; None: its tasks are not decontaminated against."""
    files: tuple[str, ...] = ()
    """What files of its tasks are called, letters and digits only; of each pattern, the first file that is there is
    read."""


def _humaneval() -> Family:
    data = HubData("openai/openai_humaneval", "7dce6050a7d6d172f3cc5c32aa97f52fa1a2e544", ((None, "test"),))
    plus = HubData("evalplus/humanevalplus", "d32357cf319e50e9c8d8dab5ea876c72b0fd321b", ((None, "test"),))
    variants = (Variant("humaneval", data, "default", 164), Variant("humaneval_plus", plus, "default", 164))
    return Family("humaneval", "HumanEval", r"human_?eval\w*[/_-]\d+", variants, data, ("humaneval",))


def _mbpp() -> Family:
    hub, revision = "google-research-datasets/mbpp", "4bb6404fdc6cacfda99d4ac4205087b89d32030c"
    splits = ("train", "test", "validation", "prompt")
    every = HubData(hub, revision, tuple((name, split) for name in ("full", "sanitized") for split in splits))
    tested = HubData(hub, revision, (("full", "test"),))
    plus = HubData("evalplus/mbppplus", "9a36f31e81d5e1670b68e6de8ef23da0c4e1abb5", ((None, "test"),))
    variants = (Variant("mbpp", tested, "default", 500), Variant("mbpp_plus", plus, "default", 378))
    return Family("mbpp", "MBPP", r"mbpp\w*[/_-]\d+", variants, every, ("mbpp", "sanitizedmbpp"))


def _ds1000() -> Family:
    data = HubData("xlangai/DS-1000", "4416080ac5cb80bdf7576aefb8f9a0b4d5426a44", ((None, "test"),))
    variant = Variant("ds1000", data, "default", 1000)
    return Family("ds1000", "DS-1000", r"ds-?1000[/_-]\d+", (variant,), data, ("ds1000",))


def _bigcodebench() -> Family:
    version = ((None, "v0.1.4"),)
    full = HubData("bigcode/bigcodebench", "b74c0d0bf70d2c0bc459be537895cca163007f1a", version)
    hard = HubData("bigcode/bigcodebench-hard", "298d2cc7b96612e15e47313c3603ee124cee0c1f", version)
    variants = (
        Variant("bigcodebench_complete", full, "complete", 1140),
        Variant("bigcodebench_instruct", full, "instruct", 1140),
        Variant("bigcodebench_complete_hard", hard, "complete", 148),
        Variant("bigcodebench_instruct_hard", hard, "instruct", 148),
    )
    files = (r"bigcodebench(v014\w*)?",)
    return Family("bigcodebench", "BigCodeBench", r"big_?code_?bench\w*[/_-]\d+", variants, full, files)


def _livecodebench() -> Family:
    """Six releases; each file holds the tasks that came with one of them."""
    hub, revision = "livecodebench/code_generation_lite", "0fe84c3912ea0c4d4a78037083943e8f0c4dd505"
    files = ("test.jsonl", "test2.jsonl", "test3.jsonl", "test4.jsonl", "test5.jsonl", "test6.jsonl")
    new = (400, 111, 101, 101, 167, 175)
    variants = []
    for number in range(1, len(files) + 1):
        whole = HubData(hub, revision, files=files[:number])
        alone = HubData(hub, revision, files=files[number - 1 : number])
        variants.append(Variant(f"livecodebench_release_v{number}", whole, problems=sum(new[:number])))
        variants.append(Variant(f"livecodebench_v{number}", alone, problems=new[number - 1]))
    return Family("livecodebench", "LiveCodeBench", None, tuple(variants))


def _cruxeval() -> Family:
    data = HubData("cruxeval-org/cruxeval", "b96af0450242eb4da433032b90998f25588a5d0f", ((None, "test"),))
    names = ("cruxeval_output", "cruxeval_input", "cruxeval_output_cot", "cruxeval_input_cot")
    return Family("cruxeval", "CRUXEval", None, tuple(Variant(name, data, problems=800) for name in names))


FAMILIES = (
    _humaneval(),
    _mbpp(),
    _ds1000(),
    _bigcodebench(),
    _livecodebench(),
    _cruxeval(),
    Family("tiny", "the tiny model's tasks", None, (Variant("tiny", None),)),
)
DECONTAMINABLE = {family.key: family for family in FAMILIES if family.data is not None}
"""Families whose tasks a dataset can be kept free of, by key."""


def family_of(variant: str) -> Family | None:
    """The family of a variant, by the variant's name or the family's key; None for others."""
    for family in FAMILIES:
        if variant == family.key or variant in [known.name for known in family.variants]:
            return family
    return None


def variants_of(key: str) -> tuple[Variant, ...]:
    """The variants of the family with this key."""
    return next(family.variants for family in FAMILIES if family.key == key)


def variant_of(name: str) -> Variant | None:
    """The variant of that name, or None."""
    for family in FAMILIES:
        for variant in family.variants:
            if variant.name == name:
                return variant
    return None


def benchmark_of(prompt_id: str) -> str | None:
    """Title of the benchmark whose task this id names, or None."""
    for family in FAMILIES:
        if family.id_pattern is not None and re.fullmatch(family.id_pattern, prompt_id, re.IGNORECASE):
            return family.title
    return None
