"""Programs out of many answers at once; where it is open which one can be loaded, the sandbox says."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from codepref.extract.mains import find_main
from codepref.extract.programs import Found, find, helpers
from codepref.extract.syntax import Rejected
from codepref.extract.usage import Cleaned, cleaned
from codepref.sandbox import Job, Limits, Matrix

LOADING = Limits(cpu_s=5.0, screen_s=None, load_s=10.0, wall_s=10.0)
"""What loading a program may cost when it is tried out."""


class Runs(Protocol):
    """What a sandbox does here (`codepref.sandbox.Sandbox`)."""

    def run_many(self, jobs: Sequence[Job]) -> Iterable[Matrix]:
        """Matrices of jobs, in order."""
        ...


@dataclass(frozen=True)
class Answer:
    """A model's answer and what was asked."""

    text: str
    prompt: str
    entry_point: str
    """Empty where a whole program is asked for, not a function."""


@dataclass(frozen=True)
class Extracted:
    """The program taken from an answer."""

    program: str
    rule: str
    """How it was found (`codepref.extract.programs.Found`), and `- usage` where something was left out."""


def extracted(answers: Sequence[Answer], sandbox: Callable[[], Runs] | None) -> list[Extracted | Rejected]:
    """The programs in some answers, in order.

    Args:
        answers: The answers.
        sandbox: Gives the sandbox where programs are loaded whose usage can not be told from what they need by reading
            alone; asked only where there are such. None: nothing is run, and everything that may be needed is kept.
    """
    read = [_read(answer) for answer in answers]
    open_ = [number for number, item in enumerate(read) if isinstance(item[1], Cleaned) and not item[1].is_proven]
    sources = dict[int, str]()
    if sandbox is not None and open_:
        sources = _that_load(answers, {n: item for n in open_ if isinstance(item := read[n][1], Cleaned)}, sandbox())
    return [
        item if isinstance(item, Rejected) else _extracted(found, sources.get(number, item.source))
        for number, (found, item) in enumerate(read)
    ]


def _read(answer: Answer) -> tuple[Found, Cleaned | Rejected]:
    if not answer.entry_point:
        whole = find_main(answer.text)
        return (Found("", ""), whole) if isinstance(whole, Rejected) else (whole, Cleaned(whole.source, True))
    try:
        found = find(answer.text, answer.prompt, answer.entry_point)
    except RecursionError:
        found = Rejected("unparseable", "nested too deeply")
    if isinstance(found, Rejected):
        return Found("", ""), found
    return found, cleaned(found.source, answer.entry_point, frozenset(helpers(answer.prompt, answer.entry_point)))


def _extracted(found: Found, source: str) -> Extracted:
    shortened = len(source.split()) < len(found.source.split())
    return Extracted(source, f"{found.rule} - usage" if shortened else found.rule)


def _that_load(answers: Sequence[Answer], items: dict[int, Cleaned], sandbox: Runs) -> dict[int, str]:
    """Of each program the first form that can be loaded and defines its entry point, where one does.

    All first forms are loaded at once, then all others of those that could not be.
    """
    first: dict[int, tuple[str, ...]] = {number: (item.source,) for number, item in items.items()}
    chosen = _loaded(answers, first, sandbox)
    rest = {number: item.others for number, item in items.items() if number not in chosen and item.others}
    return chosen | _loaded(answers, rest, sandbox)


def _loaded(answers: Sequence[Answer], forms: dict[int, tuple[str, ...]], sandbox: Runs) -> dict[int, str]:
    # a test that imports `sys` runs beside the program: here it is asked whether that loads, not what it returns
    tests = {number: f"import sys\nassert callable({answers[number].entry_point})" for number in forms}
    jobs = [Job(str(number), texts, (tests[number],)) for number, texts in forms.items()]
    found = dict[int, str]()
    for (number, texts), matrix in zip(forms.items(), sandbox.run_many(jobs) if jobs else (), strict=True):
        passed = (text for text, cells in zip(texts, matrix.cells, strict=True) if cells[0].verdict == "passed")
        text = next(passed, None)
        if text is not None:
            found[number] = text
    return found
