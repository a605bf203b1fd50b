"""A fake model with answers known in advance, for tests and for dry runs of a build without any model.

Script file, JSON lines, one line per prompt and purpose:

    {"prompt_id": "p1", "purpose": "code", "answers": ["def f(): ...", "def f(): return 1"]}
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from codepref.errors import CodeprefError
from codepref.files import good_lines
from codepref.generate.base import (
    Completion,
    GenerationError,
    OnDone,
    Request,
    Stats,
    check_requests,
    repeats,
    sample_seed,
)

Script = Mapping[tuple[str, str], Sequence[str]]
"""Answers by (prompt_id, purpose)."""
Answer = Callable[[Request, int, int], str]
"""Text for (request, sample index, seed). Must be a pure function."""

KEYS = {"prompt_id", "purpose", "answers"}


class ScriptedGenerator:
    """Answers from a script or from a function; same interface and same seeds as a real model.

    `choose="index"`: sample i gets answer i, and a script that is too short is an error. `choose="seed"`: the seed
    picks one of the answers, so any number of samples can be asked for and answers repeat, as those of a model do.
    """

    name = "scripted"

    def __init__(
        self, script: Script | Answer, *, run_seed: int = 0, choose: Literal["index", "seed"] = "index"
    ) -> None:
        self.stats = Stats()
        self.run_seed = run_seed
        self._answer = script if callable(script) else _from_script(script, choose)

    def generate(self, requests: Sequence[Request], on_done: OnDone | None = None) -> list[list[Completion]]:
        """See `Generator.generate`. Raises GenerationError when the script has no answer for a sample."""
        check_requests(requests)
        results = []
        for request in requests:
            results.append([self._sample(request, index) for index in range(request.n)])
            self.stats.repeated += repeats(results[-1])
            if on_done is not None:
                on_done(request, results[-1])
        return results

    def _sample(self, request: Request, index: int) -> Completion:
        seed = sample_seed(self.run_seed, request.prompt_id, request.purpose, index)
        text = self._answer(request, index, seed)
        self.stats.answers += 1
        return Completion(text=text, seed=seed)


def read_script(path: str | Path) -> dict[tuple[str, str], list[str]]:
    """Read a script file. Raises GenerationError naming file, line and remedy when it can not be used."""
    script: dict[tuple[str, str], list[str]] = {}
    for number, line in _lines(path):
        try:
            prompt_id, purpose, answers = _entry(line)
        except ValueError as error:
            raise GenerationError(f"{path}:{number}: {error}") from None
        if (prompt_id, purpose) in script:
            raise GenerationError(
                f"{path}:{number}: second entry for prompt_id {prompt_id!r}, purpose {purpose!r}; join their answers"
            )
        script[prompt_id, purpose] = answers
    return script


def _lines(path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        yield from good_lines(path)
    except CodeprefError as error:
        raise GenerationError(str(error)) from None


def _entry(entry: dict[str, Any]) -> tuple[str, str, list[str]]:
    """Prompt id, purpose and answers of a line. Raises ValueError."""
    if set(entry) != KEYS:
        raise ValueError("needs exactly the keys prompt_id, purpose and answers")
    prompt_id, purpose, answers = entry["prompt_id"], entry["purpose"], entry["answers"]
    if not isinstance(prompt_id, str) or not isinstance(purpose, str):
        raise ValueError("prompt_id and purpose must be strings")
    if not isinstance(answers, list) or not answers or not all(isinstance(answer, str) for answer in answers):
        raise ValueError("answers must be a list of at least one string")
    return prompt_id, purpose, answers


def _from_script(script: Script, choose: Literal["index", "seed"]) -> Answer:
    def answer(request: Request, index: int, seed: int) -> str:
        answers = script.get((request.prompt_id, request.purpose))
        if not answers:
            raise GenerationError(
                f"scripted model: no entry for prompt_id {request.prompt_id!r}, purpose {request.purpose!r}; "
                "add one to the script"
            )
        if choose == "seed":
            return answers[seed % len(answers)]
        if index >= len(answers):
            raise GenerationError(
                f"scripted model: {len(answers)} answers for prompt_id {request.prompt_id!r}, purpose "
                f'{request.purpose!r}, but {request.n} samples are asked for; add answers, or choose by "seed"'
            )
        return answers[index]

    return answer
