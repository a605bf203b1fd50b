import pytest

from codepref.overlap import benchmark_of


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
