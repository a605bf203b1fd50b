"""Servers of one model: the least loaded one is asked; one in trouble is set aside for a while and then tried again.

Every passing trouble (no connection, no byte in time, HTTP 408, 409, 429, 5xx, or the same in an error body) sends the
request on, to another server if there is one. A round of such troubles is a strike: the server gets no new request
until a pause is over, which it names itself with Retry-After or which doubles from strike to strike, and then fewer at
once, until it answers again.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from codepref.generate.base import GenerationError, Served
from codepref.generate.body import SPENT, Fault, masked, quoted, read_body

PASSING = (408, 409, 429)
NOT_BUILT = 501
"""What asks for something the server will never do."""
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
LONGEST_OWN_PAUSE_S = 2.0
"""The same for trouble that is the request's own."""
LONGEST_ASKED_S = 120.0
"""A server that asks for more patience is tried again after this."""
ASIDE = 2
"""Strikes in a row from which on a server counts as set aside: it is asked one thing at a time."""
LOOK_S = 30.0
"""Seconds without a byte after which a server is not waited for when it is asked for its models."""
SHOWN = 4
"""Servers or models that an error message lists."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Trouble:
    """Why a request got no answer, in words that hold no key."""

    status: int | None
    """HTTP status; None: nobody answered."""
    said: str
    wait_s: float | None = None
    """Seconds the server asks to wait."""
    inside: bool = False
    """The server said so in a body with HTTP 200; `status` is what that amounts to, 200 where nobody knows."""

    own: bool = False
    """Others were answered while this request met trouble again and again: the servers are well, it is the request."""

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed later or elsewhere."""
        return self.status is None or self.status in PASSING or (self.status >= 500 and self.status != NOT_BUILT)

    def __str__(self) -> str:
        if self.inside:
            return f"HTTP 200 with an error: {self.said}"
        return self.said if self.status is None else f"HTTP {self.status} ({self.said})"


@dataclass
class Server:
    """One server and how it is; times in seconds of the monotonic clock."""

    base_url: str = field(repr=False)
    key: str = field(repr=False)
    most: int
    """Requests in flight when all is well."""
    places: int
    """Requests it may have in flight now."""
    served: Served
    connect: Callable[[], Any] = lambda: None
    """Makes a client of the openai SDK."""
    idle: list[Any] = field(default_factory=list, repr=False)
    """Clients that are not in use. Each request has one for itself: the work of finding a connection in a client grows
    with the number of its connections, and was most of the work of asking."""
    in_flight: int = 0
    known: bool = False
    """Whether it needs no question about its models any more."""
    strikes: int = 0
    struck_at: float = -math.inf
    good_at: float = -math.inf
    """When it last answered."""
    resume_at: float = -math.inf
    trouble: Trouble | None = None

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        """The JSON of an answer, None where it is no JSON, or a `Trouble`."""
        return await self._call("post", path, body=body)

    async def models(self) -> Any:
        """The ids of the models it serves, None where it does not tell, or a `Trouble`."""
        answer = await self._call("get", "/models", options={"timeout": LOOK_S})
        if isinstance(answer, Trouble):
            return answer if answer.status is None else None
        data = answer.get("data") if isinstance(answer, dict) else None
        return [item.get("id") for item in data if isinstance(item, dict)] if isinstance(data, list) else None

    async def _call(self, method: str, path: str, **more: Any) -> Any:
        import httpx2
        import openai

        client = self.idle.pop() if self.idle else self.connect()
        try:
            response = await getattr(client, method)(path, cast_to=httpx2.Response, **more)
            answer = read_body(response.content)
            if isinstance(answer, Fault):
                return Trouble(answer.status, masked(answer.said, self.key), _asked_wait(response.headers), inside=True)
            return answer
        except openai.APIError as error:
            # Nothing but words leaves this place: the SDK's exception holds the request with its headers.
            said = _said(error, self.key)
            status = getattr(error, "status_code", None)
            # No waiting refills an account.
            spent = status == 429 and SPENT.search(f"{said} {getattr(error, 'code', '')}")
            return Trouble(402 if spent else status, said, _wait_s(error))
        finally:
            self.idle.append(client)


class Fleet:
    """All servers of one generator. What is known about them stays from one `open` to the next."""

    def __init__(self, servers: Sequence[Server], model: str, max_retries: int, say: Say) -> None:
        """Several servers are asked whether they serve `model` before anything else; one alone is asked at once.

        Args:
            servers: At least one.
            model: The name that is asked for.
            max_retries: Tries of one request after the first, and strikes in a row of all servers that end the run.
            say: Gets a line when a server is set aside and when it is back.
        """
        self.servers = servers
        self.model = model
        self.max_retries = max_retries
        self.say = say
        self.error: GenerationError | None = None
        self._waiting: deque[asyncio.Future[None]] = deque()
        for server in servers:
            server.known = len(servers) == 1
            server.places = server.most if server.known else 1

    def open(self, connect: Callable[[Server], Any]) -> None:
        """Begins a run in the running event loop; `connect` makes a client for a server."""
        for server in self.servers:
            server.connect, server.idle, server.in_flight = partial(connect, server), [], 0
            if self.error is not None:
                server.strikes, server.resume_at = 0, -math.inf
        self.error = None
        self._waiting.clear()

    def stop(self, error: GenerationError) -> None:
        """Whoever waits for a server, or comes to ask one, gets this error. What is in flight goes on."""
        self.error = self.error or error
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def ask(self, path: str, body: dict[str, Any]) -> tuple[Server, Any]:
        """The server that answered and its JSON (None where it was no JSON), or the last `Trouble` of this request.

        Raises:
            GenerationError: no server is left, one does not serve the model, or `stop` was called.
        """
        last: Server | None = None
        tries = 0
        failed_at = math.inf
        while True:
            server = await self._place(last)
            begun = time.monotonic()
            try:
                answer = await self._ask(server, path, body)
            finally:
                server.in_flight -= 1
            passing = isinstance(answer, Trouble) and answer.passing
            if passing:
                answer = replace(answer, own=any(one.good_at > failed_at for one in self.servers))
                failed_at = min(failed_at, time.monotonic())
            self._strike(server, answer, begun) if passing else self._good(server)
            self._wake()
            # Being told to wait is no failure of this request: as long as others are answered, its turn will come.
            tries += passing and answer.status != 429
            if not passing or tries > self.max_retries:
                return server, answer
            last = server

    async def _ask(self, server: Server, path: str, body: dict[str, Any]) -> Any:
        if not server.known:
            models = await server.models()
            if isinstance(models, Trouble):
                return models
            if models and self.model not in models:
                self.stop(_missing(server, self.model, models))
            server.known, server.places = True, server.most
            self._wake()
        if self.error is not None:
            raise self.error
        return await server.post(path, body)

    async def _place(self, last: Server | None) -> Server:
        """Waits for a place at a server, and takes it: the least loaded one, best not that which just failed."""
        first = False
        while self.error is None:
            now = time.monotonic()
            free = [server for server in self.servers if server.in_flight < server.places and server.resume_at <= now]
            if free:
                server = min(free, key=lambda one: (one is last, one.in_flight, one.served.requests))
                server.in_flight += 1
                return server
            waiter = asyncio.get_running_loop().create_future()
            # whoever was woken in vain stays the first in the queue
            self._waiting.appendleft(waiter) if first else self._waiting.append(waiter)
            await waiter
            first = True
        raise self.error

    def _wake(self) -> None:
        now = time.monotonic()
        places = sum(max(0, one.places - one.in_flight) for one in self.servers if one.resume_at <= now)
        while places > 0 and self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                places -= 1

    def _good(self, server: Server) -> None:
        if server.strikes >= ASIDE:
            self.say(f"{server.served.endpoint} answers again")
        server.strikes, server.served.aside, server.good_at = 0, False, time.monotonic()
        server.places = min(server.places + 1, server.most)

    def _strike(self, server: Server, trouble: Trouble, begun: float) -> None:
        server.served.failures += 1
        now = time.monotonic()
        pause = min(FIRST_PAUSE_S * 2.0**server.strikes, LONGEST_OWN_PAUSE_S if trouble.own else LONGEST_PAUSE_S)
        if trouble.wait_s is not None:
            pause = min(trouble.wait_s, LONGEST_ASKED_S)
        if begun < server.struck_at:  # it was under way at the last strike: the same trouble, not another one
            if trouble.wait_s is not None:
                self._pause(server, now + pause)
            return
        server.strikes, server.struck_at, server.trouble = server.strikes + 1, now, trouble
        server.served.aside = server.strikes >= ASIDE
        server.places = 1 if server.served.aside or not server.known else max(1, server.places // 2)
        self._pause(server, now + pause)
        left = sum(not one.served.aside for one in self.servers)
        if all(one.strikes > self.max_retries for one in self.servers) and not trouble.own:
            self.stop(_all_down(self.servers))
        elif len(self.servers) == 1:
            if server.strikes == ASIDE:
                tries = f"it is asked again until {self.max_retries + 1} tries have failed"
                self.say(f"{server.served.endpoint} gives no answer: {trouble}; {tries}; see whether the server runs")
        elif server.strikes == ASIDE or (server.served.aside and not left):
            others = f"{left} of {len(self.servers)} servers go on" if left else "no other server answers"
            self.say(f"{server.served.endpoint} is set aside for {pause:.3g} s: {trouble}; {others}")

    def _pause(self, server: Server, until: float) -> None:
        server.resume_at = max(server.resume_at, until)
        # a little late: a timer may go off a tick before the clock shows its time
        asyncio.get_running_loop().call_later(max(0.0, server.resume_at - time.monotonic()) + 0.002, self._wake)


def shown(base_url: str) -> str:
    """An address as it may be shown: without user name, password and query."""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _missing(server: Server, model: str, models: Sequence[Any]) -> GenerationError:
    serves = _listed([repr(name) for name in models])
    return GenerationError(
        f"{server.served.endpoint} does not serve {model!r} but {serves}; take it out of base_url, or serve the model "
        "there under this name (vLLM: --served-model-name)"
    )


def _all_down(servers: Sequence[Server]) -> GenerationError:
    kept = "Answers until now are kept: run again to go on"
    if len(servers) == 1:
        tries = servers[0].strikes
        endpoint, trouble = servers[0].served.endpoint, servers[0].trouble
        return GenerationError(
            f"{endpoint}: no answer after {tries} tries ({trouble}); see whether the server runs. {kept}"
        )
    each = _listed([f"{one.served.endpoint} ({one.trouble})" for one in servers])
    return GenerationError(f"none of the {len(servers)} servers answers any more: {each}; see whether they run. {kept}")


def _listed(items: Sequence[str]) -> str:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(items[:SHOWN]) + more


def _said(error: Any, key: str) -> str:
    """What the server said, or why it could not be reached: one line, shortened, without the key."""
    return quoted(getattr(error, "body", None) or str(error.__cause__ or error.message), key)


def _wait_s(error: Any) -> float | None:
    response = getattr(error, "response", None)
    return None if response is None else _asked_wait(response.headers)


def _asked_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that Retry-After asks for, as a number or as a date; None where it asks for nothing sensible."""
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            seconds = _seconds_until(headers.get(name, ""))
        if 0 < seconds < math.inf:
            return seconds
    return None


def _seconds_until(date: str) -> float:
    """Seconds until an HTTP date (RFC 9110); 0 for what is none."""
    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except ValueError:
        return 0.0
