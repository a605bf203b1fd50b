"""The referee's processes, and how they are asked: many harmless questions at once, or each in a process of its own."""

import marshal
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from codepref.sandbox.process import Unit, WorkerProcess
from codepref.sandbox.trial import records
from codepref.sandbox.verdict import Judgement
from codepref.sandbox.worker.table import NUMPY_MARK

PLAIN, SUITES, NUMPY = "plain", "suites", "numpy"
"""Kinds of referees, by what they have loaded."""
_SUITES = ("unittest", "asyncio")
_PRELOAD = {PLAIN: (), SUITES: _SUITES, NUMPY: ("numpy",)}
_NAMES_NUMPY = re.compile(r"\b(?:np|numpy)\b")
_NAMES_SUITE = re.compile(r"\b(?:unittest|TestCase|asyncio|async|await)\b")
PLAY_CPU_S = 4.0


class Question(NamedTuple):
    """Something that a referee answers in a process of its own."""

    kind: str
    item: tuple[Any, ...]
    referee: str


def referee_for(test: str, values: Iterable[bytes | None] = ()) -> str:
    """The kind of referee that has what a test and its values need."""
    if _NAMES_NUMPY.search(test) or any(value is not None and NUMPY_MARK in value for value in values):
        return NUMPY
    return SUITES if _NAMES_SUITE.search(test) else PLAIN


class Judges:
    """Referees of several kinds, each started when it is first needed. Used by one thread at a time."""

    def __init__(self, start: Callable[[tuple[str, ...]], WorkerProcess], wall_s: float) -> None:
        """`start` starts a referee that loads some modules first."""
        self._start, self._wall_s = start, wall_s
        self._processes: dict[str, WorkerProcess] = {}

    def begin(self) -> None:
        """Starts the plain referee, without waiting for it."""
        self._processes[PLAIN] = self._start(())

    def ready(self) -> None:
        """Waits for what was begun; raises `SandboxUnavailable`."""
        for process in self._processes.values():
            process.ready()

    def close(self) -> None:
        """Ends every referee."""
        for process in self._processes.values():
            process.close()

    def _process(self, referee: str) -> WorkerProcess:
        if referee not in self._processes:
            self._processes[referee] = self._start(_PRELOAD[referee])
            self._processes[referee].ready()
        return self._processes[referee]

    def ask(
        self, kind: str, items: Sequence[tuple[object, ...]], cpu_s: float, referee: str = PLAIN
    ) -> list[Judgement | None]:
        """One answer an item; an item that ends its process is asked once more alone, then left without answer."""
        answers: list[Judgement | None] = [None] * len(items)
        todo = list(range(len(items)))
        while todo:
            payload = marshal.dumps((kind, [items[i] for i in todo]), 2)
            (answer,) = self._process(referee).ask([Unit(payload, cpu_s, cpu_s, self._wall_s, len(todo))])
            done = list(records(answer.records))
            for place, record in zip(todo, done, strict=False):
                answers[place] = record[3], record[5]
            alone = len(todo) == 1
            todo = todo[len(done) :]
            if todo and not alone and not (answer.complete and done):
                culprit = todo.pop(0)
                answers[culprit] = self.ask(kind, [items[culprit]], cpu_s, referee)[0]
            elif alone:
                break
        return answers

    def ask_each(self, questions: Sequence[Question]) -> list[Judgement | None]:
        """One answer a question, each from a process of its own.

        A process that a test's text took over could answer this one question, as the answer is taken by its place here.
        """
        answers: list[Judgement | None] = [None] * len(questions)
        for referee in _PRELOAD:
            places = [place for place, question in enumerate(questions) if question.referee == referee]
            units = []
            for place in places:
                payload = marshal.dumps((questions[place].kind, questions[place].item), 2)
                units.append(Unit(payload, PLAY_CPU_S, PLAY_CPU_S, self._wall_s, 1))
            if not units:
                continue
            for place, answer in zip(places, self._process(referee).ask(units), strict=True):
                record = next(records(answer.records), None)
                answers[place] = None if record is None else (record[3], record[5])
        return answers
