"""Tasks of some days only."""

import pytest

from codepref.errors import CodeprefError
from evaluation.benchmark import Problem
from evaluation.window import Window, read_window, window_in_words

DAYS = ("2024-12-31", "2025-01-01", "2025-02-28", "2025-03-01")
PROBLEMS = [Problem(day, "", "", date=day) for day in DAYS]


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        ("2025-01", None, DAYS[1:]),
        ("2025-01", "2025-02", DAYS[1:3]),
        (None, "2024-12-31", DAYS[:1]),
        ("2025-03-01", "2025-03-01", DAYS[3:]),
    ],
)
def test_months_and_days_are_whole(since, until, expected):
    window = read_window(since, until)
    assert tuple(problem.date for problem in window.chosen(PROBLEMS, "b")) == expected


def test_no_option_is_no_window():
    assert read_window(None, None) is None


@pytest.mark.parametrize(
    ("since", "until", "message"),
    [
        ("yesterday", None, "--since takes a day or a month (2025-01-31, 2025-01), not 'yesterday'"),
        ("2025-13", None, "--since takes a day or a month"),
        (None, "2025-02-30", "--until takes a day or a month"),
        (None, "0000-01", "--until takes a day or a month"),
        ("2025-02", "2025-01", "--until 2025-01 is before --since 2025-02; exchange them"),
    ],
)
def test_what_is_no_day_is_told(since, until, message):
    with pytest.raises(CodeprefError) as error:
        read_window(since, until)
    assert message in str(error.value)


def test_where_nothing_is_left_the_days_of_the_tasks_are_told():
    with pytest.raises(CodeprefError, match="b: no task was published since 2026-01-01; its tasks are from 2024-12-31"):
        Window("2026-01-01", None).chosen(PROBLEMS, "b")
    with pytest.raises(CodeprefError, match="mbpp: its tasks have no dates; leave out --since and --until"):
        Window(None, "2026-01-01").chosen([Problem("1", "", "")], "mbpp")


def test_in_words():
    assert window_in_words({"since": None, "until": "2025-01-31"}) == "until 2025-01-31"
    assert window_in_words({"since": "2025-01-01", "until": "2025-01-31"}) == "from 2025-01-01 to 2025-01-31"
