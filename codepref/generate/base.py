"""Words shared by every backend that produces model text: what is asked (`Request`), what comes back (`Completion`)."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
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
    thought: str = field(default="", compare=False)
    """What the server gave apart from the text as the model's thoughts. It is no part of the answer."""


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn. `max_tokens` counts generated tokens; generation ends before any of the `stop` texts."""

    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 1024
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Price:
    """Price of a million tokens, in any currency."""

    prompt: float
    completion: float

    def __post_init__(self) -> None:
        if not (self.prompt >= 0 and self.completion >= 0):
            raise ValueError("prices must not be negative")

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """What so many tokens cost."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6


@dataclass
class Served:
    """What one server has done for this generator."""

    endpoint: str
    """Its address as it may be shown."""
    requests: int = 0
    """Requests it answered."""
    failures: int = 0
    """Requests that went on to another try: no connection, no byte in time, told to wait, HTTP 5xx."""
    completion_tokens: int = 0
    aside: bool = False
    """Set aside at the moment, because it does not answer."""


@dataclass
class Stats:
    """Running totals of one generator. `str(stats)` is what is shown to people: one line, and one for each of several
    servers."""

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
    samples: int = 0
    """Choices with text in the answers of servers."""
    servers: list[Served] = field(default_factory=list)
    price: Price | None = None
    spent_before: float = 0.0
    """Cost of the answers that were in the request cache before."""
    written: int = 0
    """Tokens of answers that have not ended yet, where the backend can tell."""
    partial: int = 0
    """Completions that are there of requests that are not yet complete."""
    on_written: Callable[[], None] | None = None
    """Called now and then while a backend writes long answers, for progress bars."""
    _seconds: float = 0.0
    _since: float | None = None

    @property
    def cost(self) -> float:
        """What all answers in the request cache cost, old and new, by the servers' counts; 0 without a price."""
        return self.spent_before + self._cost_now()

    @property
    def seconds(self) -> float:
        """Wall-clock time under `clock`."""
        return self._seconds + (0.0 if self._since is None else time.monotonic() - self._since)

    @contextmanager
    def clock(self) -> Iterator[None]:
        """The time in which servers are asked, for rates."""
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._seconds, self._since = self.seconds, None

    def add(self, served: Served, choices: Sequence[Completion]) -> None:
        """Counts an answer of a server."""
        blank = sum(not choice.text.strip() for choice in choices)
        self.answers += 1
        self.empty += blank
        self.samples += len(choices) - blank
        self.prompt_tokens += sum(choice.prompt_tokens for choice in choices)
        tokens = sum(choice.completion_tokens for choice in choices)
        self.completion_tokens += tokens
        served.requests += 1
        served.completion_tokens += tokens

    def write(self, tokens: int) -> None:
        """Notes how many tokens of unfinished answers there are."""
        self.written = tokens
        if self.on_written is not None:
            self.on_written()

    def progress(self, missing: int) -> str:
        """A few words for a progress bar: rate, servers, cost until now and, if `missing` samples cost as much as those
        that were paid until now, in all."""
        words = []
        if self.seconds > 0:
            words.append(f"{(self.completion_tokens + self.written) / self.seconds:,.0f} tokens/s")
        if len(self.servers) > 1:
            words.append(f"{sum(not one.aside for one in self.servers)} of {len(self.servers)} servers")
        if self.price is not None:
            rate = self._cost_now() / max(self.samples, 1)
            words.append(f"cost {self.cost:,.2f}, about {self.cost + missing * rate:,.2f} in all")
        return ", ".join(words)

    def _cost_now(self) -> float:
        return 0.0 if self.price is None else self.price.of(self.prompt_tokens, self.completion_tokens)

    def __str__(self) -> str:
        line = (
            f"{self.answers:,} answers, {self.cached:,} completions from cache, {self.empty:,} empty, "
            f"{self.repeated:,} repeated; {self.prompt_tokens:,} prompt + {self.completion_tokens:,} completion tokens"
        )
        if self.price is not None:
            before = f", {self.cost:,.2f} with all before" if self.spent_before else ""
            line += f"; cost {self._cost_now():,.2f}{before}"
        return "\n".join([line, *map(self._of_server, self.servers if len(self.servers) > 1 and self.answers else [])])

    def _of_server(self, one: Served) -> str:
        rate = one.completion_tokens / max(self.seconds, 1e-9)
        share = one.requests / max(self.answers, 1)
        end = ", set aside" if one.aside else ""
        words = f"{one.requests:,} answers ({share:.0%}), {rate:,.0f} tokens/s, {one.failures:,} failures{end}"
        return f"  {one.endpoint}  {words}"


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
