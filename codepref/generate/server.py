"""Samples from any OpenAI-compatible endpoint: vLLM, SGLang, llama.cpp, `transformers serve`, hosted services.

One server or many: `fleet.py` decides who is asked, and when again. What is added here: a seed for every sample, a
request cache, a bound on what is spent, and asking again for samples that an answer left out. A sample that stays
without an answer is an empty text whose `finish_reason` says why.
"""

import asyncio
import itertools
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal
from urllib.parse import urlsplit

from codepref.generate import loop
from codepref.generate.answer import is_final, read_choices
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
from codepref.generate.body import masked, refused_field
from codepref.generate.cache import Cache, payload_key
from codepref.generate.fleet import Fleet, Say, Server, Trouble, shown
from codepref.generate.gathered import Drought, Gathered, Job, PromptRefused, SampleLost, jobs_of

FRUITLESS_LIMIT = 4
"""Answers in a row without any text, for the same sample, before it is given up."""
SECOND_LOOK_S = 0.25
"""Pause before a request is repeated whose answer was an error or a page of unknown meaning; it doubles."""
UNKNOWN = 200
"""Status of an error that came with HTTP 200 and says nothing of what to do."""
FLAGGED = re.compile(r"flagged|moderation|content.?(?:filter|policy)", re.I)
"""Words of servers that forbid (HTTP 403) one prompt, not the key."""
CONNECT_TIMEOUT_S = 10.0
FIXED = ("model", "messages", "prompt", "n", "stream")


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
    """Further fields of the request body, e.g. `top_k`; a null value removes a field the server does not accept, also
    `n` (then every request is for one sample) and `seed`. Both are left out unasked once a server refuses them."""

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
        removed = [name for name in ("n", "seed") if name in self.extra and self.extra[name] is None]
        taken = [name for name in (*FIXED, "seed") if name in self.extra and name not in removed]
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
            say: Gets a line when a server is set aside and when it is back, when it refuses a field, which is left out
                from then on, and when samples stay without an answer.
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
        self._say = say
        self._drought = Drought()
        self._left_out: set[str] = set()

    def generate(self, requests: Sequence[Request], on_done: OnDone | None = None) -> list[list[Completion]]:
        """See `Generator.generate`. Ctrl-C drops what is in flight; what was answered is in the cache.

        A sample without an answer is an empty text with the reason as its `finish_reason`. The run stops, once the
        requests in flight have ended, when there are only such samples, `EMPTY_LIMIT` in a row or all that were asked
        of a server in trouble, and for what no other request could mend (a wrong key, a wrong address).
        """
        check_requests(requests)
        if self.config.api == "completions" and any(request.system is not None for request in requests):
            raise ValueError('api "completions" has no place for a system text; put it into the prompt')
        run = Gathered(requests, on_done)
        with self.stats.clock():
            loop.run(self._run(run))
        results = run.results()
        if run.lost and not self._drought.answered:
            raise run.lost[0]
        if empties := run.empties():
            self._say(f"{self.name}: {empties}")
        self.stats.repeated += sum(map(repeats, results))
        return results

    async def _run(self, run: Gathered) -> None:
        async with self._connector() as connect:
            self._fleet.open(connect)
            jobs = jobs_of(run.requests, self.config.batch_choices)
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

    async def _work(self, jobs: Iterator[Job], run: Gathered) -> None:
        for job in jobs:
            if run.fatal is not None:
                return
            # Answers from the cache never wait for anything; this is where Ctrl-C gets its turn.
            await asyncio.sleep(0)
            try:
                run.add(job, await self._collect(job, run))
            except GenerationError as error:
                run.fatal = run.fatal or error
                self._fleet.stop(run.fatal)

    async def _collect(self, job: Job, run: Gathered) -> list[Completion]:
        """The samples of a job; those without an answer are empty and say why."""
        got: list[Completion] = []
        why: GenerationError | None = None
        try:
            await self._gather(job, run, got)
        except SampleLost as error:
            why = error
            run.lose(job, error)
            seed = sample_seed(self.run_seed, job.request.prompt_id, job.request.purpose, job.index)
            got += [Completion("", seed, error.reason)] * (job.want - len(got))
        if any(sample.text.strip() for sample in got):
            self._drought.end()
        elif why is not None or not all(sample.cached for sample in got):
            # What was answered in an earlier run does not count: running again must get further.
            why = why or self._no_text(job.request, got[0].finish_reason)
            too_many = self._drought.error(job.request.prompt_id, why, len(run.prompts))
            if too_many is not None:
                raise too_many
        return got

    async def _gather(self, job: Job, run: Gathered, got: list[Completion]) -> None:
        """Adds to `got` until it has all samples. Asks again, with a new seed, for what an answer left out."""
        fruitless = 0
        for attempt in itertools.count():
            seed = sample_seed(self.run_seed, job.request.prompt_id, job.request.purpose, job.index, attempt)
            body = self._body(job.request, seed, job.want - len(got))
            # The seed is named again because `extra` may have removed it from what is sent.
            key = payload_key({**body, "seed": seed, "purpose": job.request.purpose})
            choices = self.cache.get(key)
            asked = choices is None
            if choices is None:
                choices = await self._answer(job, body, seed, run)
                self.cache.put(key, choices)
            usable = [choice for choice in choices if is_final(choice)][: job.want - len(got)]
            got += usable
            self.stats.cached += 0 if asked else len(usable)
            if len(got) == job.want:
                return
            if run.fatal is not None:
                raise run.fatal
            if usable:
                fruitless = 0
            elif asked:
                fruitless += 1
            if fruitless == FRUITLESS_LIMIT:
                raise self._no_text(job.request, choices[-1].finish_reason, FRUITLESS_LIMIT)

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

    async def _answer(self, job: Job, body: dict[str, Any], seed: int, run: Gathered) -> list[Completion]:
        """The choices of one answer. An error or a page of unknown meaning is no answer: it is asked for again."""
        for look in range(FRUITLESS_LIMIT):
            if look:
                await asyncio.sleep(SECOND_LOOK_S * 2.0 ** (look - 1))
            if job.position in run.refused:
                raise run.refused[job.position]
            server, answer = await self._ask(body)
            if not isinstance(answer, Trouble):
                choices = [
                    replace(one, finish_reason=masked(one.finish_reason, server.key))
                    for one in read_choices(answer, seed)
                ]
                self.stats.add(server.served, choices)
                return choices
            if answer.status != UNKNOWN:
                break
        raise self._explain(server, answer, job.request)

    async def _ask(self, body: dict[str, Any]) -> tuple[Server, Any]:
        """The server that answered and what it said, without fields that servers refuse."""
        self._check_cost()
        path = "/chat/completions" if self.config.api == "chat" else "/completions"
        sent = {name: value for name, value in body.items() if name not in self._left_out}
        refused: dict[str, Any] = {}
        server, answer = await self._fleet.ask(path, sent)
        while isinstance(answer, Trouble) and (name := refused_field(answer.said, sent)) is not None:
            refused[name] = answer
            del sent[name]
            server, answer = await self._fleet.ask(path, sent)
        if not isinstance(answer, Trouble):
            for name in refused.keys() - self._left_out:
                self._left_out.add(name)
                then = "one sample is asked for at a time" if name == "n" else "samples can not be drawn again alike"
                where = server.served.endpoint
                self._say(f"{where} refuses {name!r}, which is left out from now on ({refused[name]}); {then}")
        return server, answer

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
            UNKNOWN: "see what answers at this address (base_url usually ends in /v1)",
            400: "see whether the prompt is too long or a field unknown to the server (`extra` can remove it)",
            401: f"put a valid key into the environment variable {variable}",
            403: f"the key in {variable} may not use model {self.config.model!r}; use another",
            404: f"check base_url (it usually ends in /v1) and model ({self.config.model!r})",
            402: "pay for more, or ask another server. Answers until now are kept",
            413: "the prompt is too long for this server",
            422: "see whether the prompt is too long or a field unknown to the server (`extra` can remove it)",
        }
        if trouble.status is None:
            line = (
                f"{where}: no answer after {self.config.max_retries + 1} tries ({trouble}); see whether the server "
                "runs. Answers until now are kept: run again to go on"
            )
        else:
            remedy = remedies.get(trouble.status, "try again later or lower concurrency. Answers until now are kept")
            line = f"{where}: {trouble}; {remedy}"
        if trouble.status in (400, 413, 422) or (trouble.status == 403 and FLAGGED.search(trouble.said)):
            return PromptRefused(line, f"error: {trouble}")
        in_trouble = self._fleet.error is not None or all(one.strikes for one in self._fleet.servers)
        if trouble.status == UNKNOWN or (trouble.passing and not in_trouble):
            return SampleLost(line, f"error: {trouble}")
        return GenerationError(line)

    def _no_text(self, request: Request, reason: str, times: int = 1) -> SampleLost:
        answers = "answer" if times == 1 else f"{times} answers in a row"
        remedy = "raise max_tokens" if reason.startswith("length") else "change the prompt, the model or the stop texts"
        line = f"{self.config.model}, prompt {request.prompt_id!r}: {answers} without text (finish_reason {reason}); "
        return SampleLost(line + remedy, reason)


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
