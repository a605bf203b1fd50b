"""Samples from any OpenAI-compatible endpoint: vLLM, SGLang, llama.cpp, `transformers serve`, hosted services.

Retries, backoff and Retry-After are the openai SDK's. What is added here: a seed for every sample, a request cache, a
bound on the requests in flight, and asking again for samples that an answer left out.
"""

import asyncio
import itertools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from codepref.generate import loop
from codepref.generate.base import (
    Completion,
    GenerationError,
    OnDone,
    Request,
    Sampling,
    Stats,
    check_requests,
    repeats,
    sample_seed,
)
from codepref.generate.cache import Cache, payload_key

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
    """Where and how to ask. The key itself is never here: only the name of the environment variable that holds it."""

    model: str
    base_url: str
    """Up to and including the version, e.g. `http://localhost:8000/v1`."""
    api_key_env: str = "OPENAI_API_KEY"
    api: Literal["chat", "completions"] = "chat"
    """`chat` sends messages and leaves the template to the server; `completions` sends the prompt as it is."""
    concurrency: int = 16
    """Requests in flight."""
    timeout_s: float = 600.0
    """Seconds without any byte from the server before a request is tried again."""
    max_retries: int = 8
    batch_choices: bool = False
    """Ask for all samples of a prompt in one request with one seed. Cheaper for long prompts; servers may ignore it,
    then what is missing is asked for again with other seeds. Off: one request and one seed for each sample."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the request body, e.g. `top_k`; a null value removes a field the server does not accept."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"base_url {self.base_url!r} is no address; write e.g. http://localhost:8000/v1")
        if self.api not in ("chat", "completions"):
            raise ValueError(f"api {self.api!r} is unknown; write chat or completions")
        if self.concurrency < 1 or self.timeout_s <= 0 or self.max_retries < 0:
            raise ValueError("concurrency and timeout_s must be positive, max_retries must not be negative")
        taken = [name for name in FIXED if name in self.extra] + ["seed"] * (self.extra.get("seed") is not None)
        if taken:
            raise ValueError(f"extra must not set {', '.join(taken)}: the generator does")

    @property
    def endpoint(self) -> str:
        """The address as it may be shown: without user name, password and query."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class ServerGenerator:
    """See `Generator`. Everything a server answers goes into `cache` before anything else is done with it."""

    def __init__(self, config: ServerConfig, sampling: Sampling, cache: Cache, run_seed: int = 0) -> None:
        self.name = config.model
        self.config = config
        self.sampling = sampling
        self.cache = cache
        self.run_seed = run_seed
        self.stats = Stats()

    def generate(self, requests: Sequence[Request], on_done: OnDone | None = None) -> list[list[Completion]]:
        """See `Generator.generate`. Ctrl-C drops what is in flight; what was answered is in the cache.

        A prompt that the server refuses does not stop the others: the error comes when they are done. Any other
        trouble stops the run once the requests in flight have ended.
        """
        check_requests(requests)
        if self.config.api == "completions" and any(request.system is not None for request in requests):
            raise ValueError('api "completions" has no place for a system text; put it into the prompt')
        run = _Run(requests, on_done)
        loop.run(self._run(run))
        results = run.results()
        self.stats.repeated += sum(map(repeats, results))
        return results

    async def _run(self, run: "_Run") -> None:
        import openai

        async with openai.AsyncOpenAI(
            api_key=_api_key(self.config.api_key_env) or "none",
            base_url=self.config.base_url,
            timeout=openai.Timeout(self.config.timeout_s, connect=min(CONNECT_TIMEOUT_S, self.config.timeout_s)),
            max_retries=self.config.max_retries,
        ) as client:
            jobs = _jobs(run.requests, self.config.batch_choices)
            workers = [asyncio.create_task(self._work(client, jobs, run)) for _ in range(self.config.concurrency)]
            try:
                await asyncio.gather(*workers)
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, client: Any, jobs: Iterator["_Job"], run: "_Run") -> None:
        for job in jobs:
            if run.stopped():
                return
            # Answers from the cache never wait for anything; this is where Ctrl-C gets its turn.
            await asyncio.sleep(0)
            if job.position not in run.refused:
                try:
                    completions = await self._collect(client, job, run)
                except GenerationError as error:
                    run.trouble(job, error)
                else:
                    run.add(job, completions)

    async def _collect(self, client: Any, job: "_Job", run: "_Run") -> list[Completion]:
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
                choices = await self._ask(client, job.request, body, seed)
                self.cache.put(key, choices)
            usable = [choice for choice in choices if choice.text.strip()][: job.want - len(got)]
            got += usable
            self._count(choices, usable)
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

    async def _ask(self, client: Any, request: Request, body: dict[str, Any], seed: int) -> list[Completion]:
        import openai

        path = "/chat/completions" if self.config.api == "chat" else "/completions"
        trouble: openai.APIError
        try:
            return _choices(await client.post(path, cast_to=object, body=body), seed)
        except openai.APIError as error:
            trouble = error
        except (json.JSONDecodeError, UnicodeDecodeError):
            return _choices(None, seed)
        # Raised out here so that the SDK's exception, which holds the request with its headers, does not travel along.
        raise self._explain(trouble, request)

    def _count(self, choices: Sequence[Completion], usable: Sequence[Completion]) -> None:
        if choices[0].cached:
            self.stats.cached += len(usable)
            return
        self.stats.answers += 1
        self.stats.empty += sum(not choice.text.strip() for choice in choices)
        self.stats.prompt_tokens += sum(choice.prompt_tokens for choice in choices)
        self.stats.completion_tokens += sum(choice.completion_tokens for choice in choices)

    def _explain(self, error: Any, request: Request) -> GenerationError:
        """One line for an exception of the SDK, without the key."""
        status = getattr(error, "status_code", None)
        where = f"{self.config.endpoint}, prompt {request.prompt_id!r}"
        said = _said(error, _api_key(self.config.api_key_env))
        remedies = {
            400: "see whether the prompt is too long or a field unknown to the server (`extra` can remove it)",
            401: f"put a valid key into the environment variable {self.config.api_key_env}",
            403: f"the key in {self.config.api_key_env} may not use model {self.config.model!r}; use another",
            404: f"check base_url (it usually ends in /v1) and model ({self.config.model!r})",
            413: "the prompt is too long for this server",
            422: "see whether the prompt is too long or a field unknown to the server (`extra` can remove it)",
        }
        if status is None:
            return GenerationError(
                f"{where}: no answer after {self.config.max_retries + 1} tries ({said}); see whether the server runs. "
                "Answers until now are kept: run again to go on"
            )
        remedy = remedies.get(status, "try again later or lower concurrency. Answers until now are kept")
        kind = PromptRefused if status in (400, 413, 422) else GenerationError
        return kind(f"{where}: HTTP {status} ({said}); {remedy}")

    def _no_text(self, request: Request, choices: Sequence[Completion]) -> GenerationError:
        reason = choices[-1].finish_reason
        remedy = "raise max_tokens" if reason == "length" else "change the prompt, the stop texts or the run seed"
        return PromptRefused(
            f"{self.config.endpoint}, prompt {request.prompt_id!r}: {FRUITLESS_LIMIT} answers in a row without text "
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


def _choices(answer: Any, seed: int) -> list[Completion]:
    """The choices of an answer's JSON body, at least one: an answer without any counts as one that holds no text."""
    body = answer if isinstance(answer, dict) else {}
    choices = body.get("choices")
    usage = body.get("usage")
    found = (
        [_choice(choice, seed) for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
    )
    first, *rest = found or [("", seed, "missing")]
    carrier = Completion(
        *first, prompt_tokens=_tokens(usage, "prompt_tokens"), completion_tokens=_tokens(usage, "completion_tokens")
    )
    return [carrier, *(Completion(*choice) for choice in rest)]


def _choice(choice: Mapping[str, Any], seed: int) -> tuple[str, int, str]:
    message = choice.get("message")
    text = message.get("content") if isinstance(message, dict) else choice.get("text")
    reason = choice.get("finish_reason")
    # Half a surrogate pair is valid JSON but neither UTF-8 nor Arrow can hold it.
    clean = text.encode("utf-8", "replace").decode() if isinstance(text, str) else ""
    return clean, seed, reason if isinstance(reason, str) else "unknown"


def _tokens(usage: Any, name: str) -> int:
    count = usage.get(name) if isinstance(usage, dict) else None
    return count if isinstance(count, int) else 0


def _api_key(variable: str) -> str:
    """The key, or an empty string where there is none (local servers need none)."""
    key = os.environ.get(variable, "").strip()
    if not key.isascii() or any(not 32 < ord(character) < 127 for character in key):
        raise GenerationError(f"the key in {variable} holds blanks or control characters; set it again")
    return key


def _said(error: Any, key: str) -> str:
    """What the server said, or why it could not be reached: one line, at most 300 characters, without the key."""
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, dict) else body
    text = (inner.get("message") or inner.get("detail")) if isinstance(inner, dict) else inner
    line = " ".join(str(text or error.__cause__ or error.message).split())
    return (line.replace(key, "***") if key else line)[:300]
