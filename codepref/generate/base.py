"""Words shared by every backend that produces model text: what is asked (`Request`), what comes back (`Completion`)."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from codepref.errors import CodeprefError


class GenerationError(CodeprefError):
    """A backend can not answer. One line: which endpoint or file, what is wrong, what to do about it."""


@dataclass(frozen=True)
class Request:
    """One prompt, asked for `n` independent samples."""

    prompt_id: str
    purpose: str
    """What the samples are for, e.g. `code` or `test`. Part of the seed and of the cache key."""
    prompt: str
    """The text that is sent."""
    system: str | None = None
    n: int = 1


@dataclass(frozen=True)
class Completion:
    """One sample and where it comes from."""

    text: str
    seed: int
    """The seed that was sent. With `ServerConfig.batch_choices` all choices of one answer share it."""
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    """Tokens as the server counted them. When one answer held several choices, its first one carries the whole count,
    so that sums are right."""
    cached: bool = False
    """True when nobody was asked: the answer lay in the request cache."""


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn. `max_tokens` counts generated tokens; generation ends before any of the `stop` texts."""

    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 1024
    stop: tuple[str, ...] = ()


@dataclass
class Stats:
    """Running totals of one generator. `str(stats)` is the one line that is shown to people."""

    answers: int = 0
    """Answers that a model gave, each holding one or more choices."""
    cached: int = 0
    """Completions taken from the request cache."""
    empty: int = 0
    """Choices that were missing or held nothing but white space; a server was asked again with another seed."""
    repeated: int = 0
    """Completions equal to another one of the same request. When nearly all are, the server does not sample: for
    `transformers serve`, set `do_sample` in the model's generation_config.json."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    """Tokens of the answers that a model gave; what lay in the cache costs nothing."""

    def __str__(self) -> str:
        return (
            f"{self.answers:,} answers, {self.cached:,} completions from cache, {self.empty:,} empty, "
            f"{self.repeated:,} repeated; {self.prompt_tokens:,} prompt + {self.completion_tokens:,} completion tokens"
        )


def repeats(completions: Sequence[Completion]) -> int:
    """How many completions are equal to an earlier one."""
    return len(completions) - len({completion.text for completion in completions})


OnDone = Callable[[Request, list[Completion]], None]


class Generator(Protocol):
    """What every backend offers."""

    name: str
    stats: Stats

    def generate(self, requests: Sequence[Request], on_done: OnDone | None = None) -> list[list[Completion]]:
        """Answer all requests.

        Returns one list per request, in the order of `requests`, each with exactly `request.n` completions in the order
        of their sample index. `on_done` is called once per request, as soon as its last sample is there, thus not in
        the order of `requests` and, in a notebook, not in the main thread.

        Raises GenerationError when a request can not be answered (what was answered until then is in the cache, where
        the backend has one), ValueError when the requests contradict each other (`check_requests`).
        """
        ...


def sample_seed(run_seed: int, prompt_id: str, purpose: str, index: int, attempt: int = 0) -> int:
    """Seed of one sample: an integer in [0, 2**31), the same on every machine and in every order of work.

    It is a hash, so the seeds of neighbouring samples are unrelated, and a server that derives further seeds from the
    one it got (vLLM adds the choice number) does not run into its neighbour's. Among 100 samples of one prompt, the
    chance that any two share a seed is about 2e-6. `attempt` counts repetitions after an answer that was empty or
    short of choices.
    """
    text = json.dumps([run_seed, prompt_id, purpose, index, attempt])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def check_requests(requests: Sequence[Request]) -> None:
    """Raise ValueError when a request asks for fewer than one sample or can not be sent as UTF-8, or when two are the
    same: they would share seeds."""
    seen: set[tuple[str, str, str, str | None]] = set()
    for request in requests:
        if request.n < 1:
            raise ValueError(f"prompt {request.prompt_id!r}: n is {request.n}, ask for at least 1 sample")
        try:
            f"{request.prompt}{request.system}".encode()
        except UnicodeEncodeError:
            raise ValueError(f"prompt {request.prompt_id!r} holds half a surrogate pair; remove it") from None
        same = (request.prompt_id, request.purpose, request.prompt, request.system)
        if same in seen:
            raise ValueError(
                f"prompt {request.prompt_id!r} ({request.purpose}) is requested twice; ask once with a larger n"
            )
        seen.add(same)
