"""Tasks of some days only: benchmarks whose tasks have dates are graded on what a model can not have seen."""

import calendar
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from codepref.errors import CodeprefError
from evaluation.benchmark import Problem

_DAY = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2}))?", re.ASCII)


@dataclass(frozen=True)
class Window:
    """The days from `since` to `until`, both included, as YYYY-MM-DD; None: no limit."""

    since: str | None
    until: str | None

    def chosen(self, problems: Sequence[Problem], name: str) -> list[Problem]:
        """The problems published in these days; raises `CodeprefError` where none is, or dates are not known."""
        if not all(problem.date for problem in problems):
            raise CodeprefError(f"{name}: its tasks have no dates; leave out --since and --until")
        found = [problem for problem in problems if self._holds(problem.date)]
        if not found:
            days = sorted(problem.date for problem in problems)
            words = f"{name}: no task was published {window_in_words({'since': self.since, 'until': self.until})}"
            raise CodeprefError(f"{words}; its tasks are from {days[0]} to {days[-1]}")
        return found

    def _holds(self, day: str) -> bool:
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)


def read_window(since: str | None, until: str | None) -> Window | None:
    """The days that the options say, None without them. A month begins with its first day, and ends with its last.

    Raises:
        CodeprefError: a text is no day and no month, or the last day is before the first.
    """
    if since is None and until is None:
        return None
    first = None if since is None else _day("--since", since, last=False)
    end = None if until is None else _day("--until", until, last=True)
    if first is not None and end is not None and end < first:
        raise CodeprefError(f"evaluate: --until {until} is before --since {since}; exchange them")
    return Window(first, end)


def _day(option: str, text: str, last: bool) -> str:
    found = _DAY.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        year, month = int(found[1]), int(found[2])
        whole = calendar.monthrange(year, month)[1] if last else 1
        return date(year, month, int(found[3]) if found[3] else whole).isoformat()
    except ValueError:  # of the calendar, too
        raise CodeprefError(f"evaluate: {option} takes a day or a month (2025-01-31, 2025-01), not {text!r}") from None


def window_in_words(window: Mapping[str, Any]) -> str:
    """`from 2025-01-01 to 2025-04-30`, `since 2025-01-01`, `until 2025-04-30`."""
    since, until = window["since"], window["until"]
    if since and until:
        return f"from {since} to {until}"
    return f"since {since}" if since else f"until {until}"
