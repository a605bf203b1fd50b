import contextlib
import random
import re
from itertools import islice

import pytest

from codepref.generate.tiny import corpus, text
from codepref.generate.tiny.corpus import LARGEST, MISHAPS, WRONG_TESTS, documents, failing_test
from codepref.generate.tiny.tasks import Task, function, read_task


@pytest.fixture(scope="module")
def found():
    return list(islice(documents(random.Random(1)), 2000))


def kind(prompt):
    return "test" if prompt.endswith(text.TEST) else "repair" if prompt.endswith(text.FIX) else "code"


def test_three_kinds_of_documents(found):
    kinds = [kind(prompt) for prompt, _ in found]
    assert 0.31 < kinds.count("code") / len(kinds) < 0.42
    assert 0.45 < kinds.count("test") / len(kinds) < 0.58
    assert kinds.count("repair") > 0.06 * len(kinds)


def test_only_tasks_for_pre_training(found):
    assert {read_task(prompt).split for prompt, _ in found} == {"train"}


def test_completions_are_programs_or_tests(found):
    for prompt, completion in found:
        if kind(prompt) == "test":
            assert all(re.fullmatch(r"assert solve\(\[.*\]\) == .+", line) for line in completion.splitlines())
        else:
            assert callable(function(completion))


def test_a_repair_begins_with_a_program_that_fails_the_test_it_shows(found):
    for prompt, _ in found:
        if kind(prompt) != "repair":
            continue
        program, failing = re.search(r"<\|code\|>(.*)<\|fail\|>(.*)<\|fix\|>", prompt, re.DOTALL).groups()
        nums, expected = re.fullmatch(r"assert solve\((.*)\) == (.*)", failing).groups()
        assert eval(expected) == read_task(prompt).truth(eval(nums))
        with contextlib.suppress(MISHAPS):
            assert function(program)(eval(nums)) != eval(expected)


def test_some_tests_are_wrong_and_none_is_beyond_the_model():
    rng = random.Random(2)
    task = Task((("double", None), ("sum", None)), "Double every number and return the sum.")
    values = [
        re.fullmatch(r"assert solve\((.*)\) == (.*)", test).groups() for test in corpus.draw_tests(task, rng, 1000)
    ]
    wrong = sum(eval(value) != task.truth(eval(nums)) for nums, value in values)
    assert WRONG_TESTS / 3 < wrong / 1000 < WRONG_TESTS * 1.3
    assert all(abs(eval(value)) <= LARGEST for _, value in values)


def test_a_right_program_fails_no_true_test():
    task = Task((("reverse", None),), "Reverse the list and return the list.")
    assert failing_test(task, task.reference, random.Random(3)) is None


def test_the_corpus_is_a_function_of_its_seed():
    first, again, other = (list(islice(documents(random.Random(seed)), 100)) for seed in ("7 0", "7 0", "7 1"))
    assert first == again != other
