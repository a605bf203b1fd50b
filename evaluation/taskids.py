"""Ids of tasks in the spellings that people and other tools write: `53`, `humaneval/53`, `HumanEval_53`."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from codepref.benchmarks import family_of

_PARTS = re.compile(r"(.*?)(?:^|[\W_]+|(?<=\D))0*(\d+)", re.DOTALL)
_Form = tuple[str, str]
"""What stands before the number, letters and digits only, and the number without leading zeros."""


@dataclass(frozen=True)
class TaskIds:
    """The ids of one benchmark."""

    benchmark: str
    ids: tuple[str, ...]
    forms: Mapping[_Form, str | None]
    """The id that a spelling stands for; None where it could be one of several."""

    def find(self, text: str) -> str | None:
        """The id that a text spells; None where it is no task, or could be one of several."""
        if text in self.ids:
            return text
        form = _form(text)
        return None if form is None else self.forms.get(form)

    def refusal(self, text: str) -> str:
        """What is wrong with a text that spells no id, with the right spelling."""
        near = difflib.get_close_matches(text, self.ids, 1, 0.8)
        right = f"did you mean {near[0]!r}?" if near else f"its ids look like {self.ids[0]!r}"
        return f"{text[:80]!r} is no task of {self.benchmark}; {right}"


def task_ids(benchmark: str, ids: Iterable[str]) -> TaskIds:
    """The ids of a benchmark with the other spellings that are understood."""
    listed = tuple(ids)
    family = family_of(benchmark)
    name = _letters(family.key if family is not None else benchmark)
    forms: dict[_Form, str | None] = {}
    for task_id in listed:
        form = _form(task_id)
        if form is None:
            continue
        prefix, number = form
        for other in {prefix, name, ""}:
            forms[other, number] = None if forms.get((other, number), task_id) != task_id else task_id
    return TaskIds(benchmark, listed, forms)


def _form(text: str) -> _Form | None:
    found = _PARTS.fullmatch(text.strip())
    return None if found is None else (_letters(found[1]), found[2])


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold().removesuffix("plus")
