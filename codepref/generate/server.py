"""Samples from any OpenAI-compatible endpoint: vLLM, SGLang, llama.cpp, `transformers serve`, hosted services.

One server or many: `fleet.py` decides who is asked, and when again. What is added here: a seed for every sample, a
request cache, a bound on what is spent, and asking again for samples that an answer left out.
"""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal
from urllib.parse import urlsplit

from codepref.generate import loop
from codepref.generate.answer import read_choices
from codepref.generate.base import (
    Completion,
    GenerationError,
    OnDone,
    Price,
    Request,
    Sampling,
    Served,
    Stats,
    check_requests,
    repeats,
    sample_seed,
)
from codepref.generate.cache import Cache, payload_key
from codepref.generate.fleet import Fleet, Say, Server, Trouble, shown

FRUITLESS_LIMIT = 4
"""Answers in a row without any text, for the same sample, before its prompt is given up."""
REFUSED_LIMIT = 10
"""Prompts the server may refuse before the run stops: by then the request itself is wrong."""
CONNECT_TIMEOUT_S = 10.0
FIXED = ("model", "messages", "prompt", "n", "stream")


class PromptRefused(GenerationError):
    """The server can not answer this one prompt; others may still work."""


@dataclass(frozen=True)
class ServerConfig:
    """Where and how to ask. A key itself is never here: only the name of the environment variable that holds it."""

    model: str
    base_url: str | tuple[str, ...]
    """Up to and including the version, e.g. `http://localhost:8000/v1`; or a list of servers of the same model."""
    api_key_env: str | tuple[str, ...] = "OPENAI_API_KEY"
    """One variable for all servers, or a list with one for each."""
    api: Literal["chat", "completions"] = "chat"
    """`chat` sends messages and leaves the template to the server; `completions` sends the prompt as it is."""
    concurrency: int = 16
    """Requests in flight at each server."""
    timeout_s: float = 600.0
    """Seconds without any byte from the server before a request is tried again."""
    max_retries: int = 8
    """Tries of a request after the first one, wherever; and of servers of which none answers, before the run ends."""
    batch_choices: bool = False
    """Ask for all samples of a prompt in one request with one seed. Cheaper for long prompts; servers may ignore it,
    then what is missing is asked for again with other seeds. Off: one request and one seed for each sample."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the request body, e.g. `top_k`; a null value removes a field the server does not accept."""

    def __post_init__(self) -> None:
        for url in self.base_urls:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(f"base_url {url!r} is no address; write e.g. http://localhost:8000/v1")
        if not self.base_urls or len(set(self.base_urls)) < len(self.base_urls):
            raise ValueError("base_url must name at least one server, and each of them once")
        if len(self.key_variables) != len(self.base_urls):
            raise ValueError(f"api_key_env lists {len(self.api_key_env)} variables for {len(self.base_urls)} servers")
        if self.api not in ("chat", "completions"):
            raise ValueError(f"api {self.api!r} is unknown; write chat or completions")
        if self.concurrency < 1 or self.timeout_s <= 0 or self.max_retries < 0:
            raise ValueError("concurrency and timeout_s must be positive, max_retries must not be negative")
        taken = [name for name in FIXED if name in self.extra] + ["seed"] * (self.extra.get("seed") is not None)
        if taken:
            raise ValueError(f"extra must not set {', '.join(taken)}: the generator does")

    @property
    def base_urls(self) -> tuple[str, ...]:
        """All servers."""
        return (self.base_url,) if isinstance(self.base_url, str) else self.base_url

    @property
    def key_variables(self) -> tuple[str, ...]:
        """The variable that holds the key, for every server."""
        one = isinstance(self.api_key_env, str)
        return (str(self.api_key_env),) * len(self.base_urls) if one else tuple(self.api_key_env)

    @property
    def in_flight(self) -> int:
        """Requests in flight at all servers together."""
        return self.concurrency * len(self.base_urls)


class ServerGenerator:
    """See `Generator`. Everything a server answers goes into `cache` before anything else is done with it."""

    def __init__(
        self,
        config: ServerConfig,
        sampling: Sampling,
        cache: Cache,
        run_seed: int = 0,
        price: Price | None = None,
        max_cost: float | None = None,
        say: Say = lambda line: None,
    ) -> None:
        """Raises ValueError for a `max_cost` without a price.

        Args:
            config: Where and how to ask.
            sampling: How tokens are drawn.
            cache: Where answers are kept; what they cost counts as spent.
            run_seed: Every sample's own seed is derived from it.
            price: For the cost in `stats`.
            max_cost: Nothing more is asked once this is spent; what is in flight then is still paid for.
            say: Gets a line when a server is set aside and when it is back.
        """
        if max_cost is not None and price is None:
            raise ValueError("max_cost needs price_per_million, the prices that the answers are counted with")
        self.name = config.model
        self.config = config
        self.sampling = sampling
        self.cache = cache
        self.run_seed = run_seed
        self.max_cost = max_cost
        self.stats = Stats(price=price, servers=[Served(shown(url)) for url in config.base_urls])
        if price is not None:
            self.stats.spent_before = price.of(*cache.tokens())
        servers = [
            Server(url, _api_key(name), config.concurrency, config.concurrency, served)
            for url, name, served in zip(config.base_urls, config.key_variables, self.stats.servers, strict=True)
        ]
        self._fleet = Fleet(servers, config.model, config.max_retries, say)

    def generate(self, requests: Sequence[Request], on_done: OnDone | None = None) -> list[list[Completion]]:
        """See `Generator.generate`. Ctrl-C drops what is in flight; what was answered is in the cache.

        A prompt that the server refuses does not stop the others: the error comes when they are done. Any other
        trouble stops the run once the requests in flight have ended.
        """
        check_requests(requests)
        if self.config.api == "completions" and any(request.system is not None for request in requests):
            raise ValueError('api "completions" has no place for a system text; put it into the prompt')
        run = _Run(requests, on_done)
        with self.stats.clock():
            loop.run(self._run(run))
        results = run.results()
        self.stats.repeated += sum(map(repeats, results))
        return results

    async def _run(self, run: "_Run") -> None:
        async with self._connector() as connect:
            self._fleet.open(connect)
            jobs = _jobs(run.requests, self.config.batch_choices)
            workers = [asyncio.create_task(self._work(jobs, run)) for _ in range(self.config.in_flight)]
            try:
                await asyncio.gather(*workers)
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)

    @asynccontextmanager
    async def _connector(self) -> AsyncIterator[Callable[[Server], Any]]:
        """Makes clients, and closes them at the end."""
        async with AsyncExitStack() as stack:

            def connect(server: Server) -> Any:
                client = _client(server, self.config.timeout_s)
                stack.push_async_callback(client.close)
                return client

            yield connect

    async def _work(self, jobs: Iterator["_Job"], run: "_Run") -> None:
        for job in jobs:
            if run.stopped():
                return
            # Answers from the cache never wait for anything; this is where Ctrl-C gets its turn.
            await asyncio.sleep(0)
            if job.position not in run.refused:
                try:
                    completions = await self._collect(job, run)
                except GenerationError as error:
                    run.trouble(job, error)
                    if run.stopped():
                        self._fleet.stop(run.error())
                else:
                    run.add(job, completions)

    async def _collect(self, job: "_Job", run: "_Run") -> list[Completion]:
        """`job.want` completions with text. Asks again, with a new seed, for what an answer left out."""
        got: list[Completion] = []
        fruitless = 0
        for attempt in itertools.count():
            seed = sample_seed(self.run_seed, job.request.prompt_id, job.request.purpose, job.index, attempt)
            body = self._body(job.request, seed, job.want - len(got))
            # The seed is named again because `extra` may have removed it from what is sent.
            key = payload_key({**body, "seed": seed, "purpose": job.request.purpose})
            choices = self.cache.get(key)
            asked = choices is None
            if choices is None:
                choices = await self._ask(job.request, body, seed)
                self.cache.put(key, choices)
            usable = [choice for choice in choices if choice.text.strip()][: job.want - len(got)]
            got += usable
            self.stats.cached += 0 if asked else len(usable)
            if len(got) == job.want:
                return got
            if run.stopped():
                raise run.error()
            if usable:
                fruitless = 0
            elif asked:
                fruitless += 1
            if fruitless == FRUITLESS_LIMIT:
                raise self._no_text(job.request, choices)
        raise AssertionError("unreachable")

    def _body(self, request: Request, seed: int, n: int) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.config.model,
            "temperature": self.sampling.temperature,
            "top_p": self.sampling.top_p,
            "max_tokens": self.sampling.max_tokens,
            "seed": seed,
            "n": n,
        }
        if self.sampling.stop:
            body["stop"] = list(self.sampling.stop)
        if self.config.api == "chat":
            system = [] if request.system is None else [{"role": "system", "content": request.system}]
            body["messages"] = [*system, {"role": "user", "content": request.prompt}]
        else:
            body["prompt"] = request.prompt
        return {name: value for name, value in {**body, **self.config.extra}.items() if value is not None}

    async def _ask(self, request: Request, body: dict[str, Any], seed: int) -> list[Completion]:
        self._check_cost()
        path = "/chat/completions" if self.config.api == "chat" else "/completions"
        server, answer = await self._fleet.ask(path, body)
        if isinstance(answer, Trouble):
            raise self._explain(server, answer, request)
        choices = read_choices(answer, seed)
        self.stats.add(server.served, choices)
        return choices

    def _check_cost(self) -> None:
        if self.max_cost is None:
            return
        if self.stats.answers and not self.stats.prompt_tokens + self.stats.completion_tokens:
            raise GenerationError("max_cost can not be kept: the server counts no tokens (`usage`); leave max_cost out")
        if self.stats.cost >= self.max_cost:
            raise GenerationError(
                f"max_cost is reached: {self.stats.cost:,.2f} of {self.max_cost:,.2f} spent. Answers until now are "
                "kept: the same command with a larger generation.max_cost goes on"
            )

    def _explain(self, server: Server, trouble: Trouble, request: Request) -> GenerationError:
        variable = self.config.key_variables[self._fleet.servers.index(server)]
        where = f"{server.served.endpoint}, prompt {request.prompt_id!r}"
        remedies = {
            400: "see whether the prompt is too long or a field unknown to the server (`extra` can remove it)",
            401: f"put a valid key into the environment variable {variable}",
            403: f"the key in {variable} may not use model {self.config.model!r}; use another",
            404: f"check base_url (it usually ends in /v1) and model ({self.config.model!r})",
            413: "the prompt is too long for this server",
            422: "see whether the prompt is too long or a field unknown to the server (`extra` can remove it)",
        }
        if trouble.status is None:
            return GenerationError(
                f"{where}: no answer after {self.config.max_retries + 1} tries ({trouble}); see whether the server "
                "runs. Answers until now are kept: run again to go on"
            )
        remedy = remedies.get(trouble.status, "try again later or lower concurrency. Answers until now are kept")
        kind = PromptRefused if trouble.status in (400, 413, 422) else GenerationError
        return kind(f"{where}: {trouble}; {remedy}")

    def _no_text(self, request: Request, choices: Sequence[Completion]) -> GenerationError:
        reason = choices[-1].finish_reason
        remedy = "raise max_tokens" if reason == "length" else "change the prompt, the stop texts or the run seed"
        return PromptRefused(
            f"{self.config.model}, prompt {request.prompt_id!r}: {FRUITLESS_LIMIT} answers in a row without text "
            f"(finish_reason {reason}); {remedy}"
        )


@dataclass(frozen=True)
class _Job:
    """`want` samples of one request, whose seeds start at sample `index`; they fill `slots[index:index + want]`."""

    position: int
    request: Request
    index: int
    want: int


def _jobs(requests: Sequence[Request], batch: bool) -> Iterator[_Job]:
    for position, request in enumerate(requests):
        if batch:
            yield _Job(position, request, 0, request.n)
        else:
            yield from (_Job(position, request, index, 1) for index in range(request.n))


class _Run:
    """What one call of `generate` has gathered so far."""

    def __init__(self, requests: Sequence[Request], on_done: OnDone | None) -> None:
        self.requests = requests
        self.refused: dict[int, PromptRefused] = {}
        self._on_done = on_done
        self._fatal: GenerationError | None = None
        self._partial: dict[int, dict[int, Completion]] = {}
        self._done: dict[int, list[Completion]] = {}

    def add(self, job: _Job, completions: Sequence[Completion]) -> None:
        slots = self._partial.setdefault(job.position, {})
        slots.update(enumerate(completions, start=job.index))
        if len(slots) == job.request.n:
            del self._partial[job.position]
            self._done[job.position] = [slots[index] for index in range(job.request.n)]
            if self._on_done is not None:
                self._on_done(job.request, self._done[job.position])

    def trouble(self, job: _Job, error: GenerationError) -> None:
        if isinstance(error, PromptRefused):
            self.refused.setdefault(job.position, error)
        else:
            self._fatal = self._fatal or error

    def stopped(self) -> bool:
        return self._fatal is not None or len(self.refused) >= REFUSED_LIMIT

    def error(self) -> GenerationError:
        if self._fatal is not None:
            return self._fatal
        first = self.refused[min(self.refused)]
        others = [repr(self.requests[position].prompt_id) for position in sorted(self.refused)[1:]]
        return GenerationError(f"{first}; also refused: {', '.join(others)}") if others else first

    def results(self) -> list[list[Completion]]:
        if self.stopped() or self.refused:
            raise self.error()
        return [self._done[position] for position in range(len(self.requests))]


def _client(server: Server, timeout_s: float) -> Any:
    """A client of the openai SDK that tries once: when and where to try again is decided by the fleet."""
    import openai

    timeout = openai.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s))
    connections = openai.DefaultAsyncHttpxClient(verify=_trust(), timeout=timeout)
    key = server.key or "none"
    return openai.AsyncOpenAI(
        api_key=key, base_url=server.base_url, timeout=timeout, max_retries=0, http_client=connections
    )


@cache
def _trust() -> Any:
    """The certificates that servers are checked with; reading them takes longer than a request."""
    import httpx2

    return httpx2.create_ssl_context()


def _api_key(variable: str) -> str:
    """The key, or an empty string where there is none (local servers need none)."""
    key = os.environ.get(variable, "").strip()
    if not key.isascii() or any(not 32 < ord(character) < 127 for character in key):
        raise GenerationError(f"the key in {variable} holds blanks or control characters; set it again")
    return key
