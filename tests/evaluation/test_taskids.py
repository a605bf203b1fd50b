import pytest

from evaluation.taskids import task_ids

HUMANEVAL = task_ids("humaneval_plus", [f"HumanEval/{number}" for number in range(164)])


@pytest.mark.parametrize(
    "text", ["HumanEval/53", "53", "053", "humaneval/53", "HumanEval_53", "HumanEval 53", "HumanEval53", " HUMANEVAL-53",
             "HumanEvalPlus/53", "humaneval+/53"],
)  # fmt: skip
def test_other_spellings_of_one_task(text):
    assert HUMANEVAL.find(text) == "HumanEval/53"


@pytest.mark.parametrize("text", ["", "HumanEval/164", "Mbpp/53", "HumanEval/", "5.3", "HumanEval/53/2", "53rd"])
def test_what_is_no_task(text):
    assert HUMANEVAL.find(text) is None


def test_what_could_be_two_tasks_is_none():
    known = task_ids("mbpp", ["Mbpp/2", "MBPP-2", "Mbpp/3"])
    assert (known.find("2"), known.find("mbpp_2"), known.find("Mbpp/2"), known.find("3")) == (
        None, None, "Mbpp/2", "Mbpp/3"
    )  # fmt: skip


def test_numbers_with_the_name_of_their_benchmark():
    known = task_ids("ds1000", ["7", "17"])
    assert [known.find(text) for text in ("7", "DS-1000/7", "ds1000_17", "HumanEval/7")] == ["7", "7", "17", None]


def test_the_right_spelling_is_named():
    assert (
        HUMANEVAL.refusal("HumanEvil/53") == "'HumanEvil/53' is no task of humaneval_plus; did you mean 'HumanEval/53'?"
    )
    assert HUMANEVAL.refusal("x").endswith("its ids look like 'HumanEval/0'")
