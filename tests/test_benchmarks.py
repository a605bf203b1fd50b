"""Facts about benchmarks: one table, and everything that needs one of them finds it there."""

import re

import pytest

from codepref.benchmarks import DECONTAMINABLE, FAMILIES, benchmark_of, family_of, variant_of
from evaluation.catalogue import NAMES, benchmark, benchmarks_of


@pytest.mark.parametrize(
    ("prompt_id", "benchmark"),
    [
        ("HumanEval/32", "HumanEval"),
        ("humaneval_plus/3", "HumanEval"),
        ("Mbpp/255", "MBPP"),
        ("BigCodeBench/1005", "BigCodeBench"),
        ("DS-1000/17", "DS-1000"),
        ("ds1000_17", "DS-1000"),
        ("quickstart/busy_blocks", None),
        ("my-HumanEval/32", None),
        ("", None),
    ],
)
def test_benchmark_ids(prompt_id, benchmark):
    assert benchmark_of(prompt_id) == benchmark


def test_every_dataset_is_pinned_to_a_commit():
    variants = [variant for family in FAMILIES for variant in family.variants]
    data = [entry.data for entry in (*variants, *DECONTAMINABLE.values()) if entry.data is not None]
    assert all(re.fullmatch("[0-9a-f]{40}", found.revision) for found in data)


def test_every_variant_has_a_benchmark_of_its_name_and_the_other_way_round():
    for family in FAMILIES:
        assert [found.name for found in benchmarks_of(family.key)] == [variant.name for variant in family.variants]


def test_a_benchmark_of_the_hub_says_how_many_problems_it_has():
    for family in FAMILIES:
        for variant in family.variants:
            assert (variant.problems > 0) == (variant.data is not None), variant.name


@pytest.mark.parametrize("name", NAMES)
def test_every_name_gives_a_benchmark_with_a_family(name):
    found = benchmark(name)
    assert variant_of(found.name) is not None
    assert family_of(found.name) is family_of(name) is not None


def test_split_and_subset_are_part_of_a_name():
    assert benchmark("bigcodebench", "instruct", "hard").name == "bigcodebench_instruct_hard"
    assert benchmark("bigcodebench_instruct_hard").name == "bigcodebench_instruct_hard"
    assert family_of("bigcodebench_instruct_hard").title == "BigCodeBench"
    assert family_of("nothing") is None and variant_of("bigcodebench") is None
