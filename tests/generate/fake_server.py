"""An OpenAI-compatible server on loopback whose answers and faults the test decides.

Text is a function of (prompt, seed, choice), as if a real model had drawn it, so tests can tell which sample they see.
As a program (`fake_server.py DELAY_S`) it is a server that can be killed: it prints its address, then a line of JSON for
every answer.
"""

import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "injected"
    raw: bytes | None = None  # sent as the body, whatever it is
    remake: Callable[[dict[str, Any]], bytes] | None = None  # makes the body of the good answer
    content_type: str = "application/json"
    cut_body: bool = False  # half of the body, then the connection drops
    choices: int | None = None  # that many choices, whatever n says
    blank: bool = False  # choices without text
    finish_reason: str = "stop"
    hold: threading.Event | None = None  # no answer before this is set


@dataclass(frozen=True)
class Seen:
    path: str
    body: dict[str, Any]
    authorization: str | None
    status: int


Plan = Callable[[int, dict[str, Any]], Fault | None]
"""Fault for the k-th request (from 0) with this body; None for a good answer."""


def prompt_of(body: dict[str, Any]) -> str:
    return body["prompt"] if "prompt" in body else body["messages"][-1]["content"]


def text_of(prompt: str, seed: int, choice: int = 0) -> str:
    return f"{prompt}|{seed}|{choice}"


Text = Callable[[str, int, int], str]
"""What the model says to (prompt, seed, choice)."""


class _Http(ThreadingHTTPServer):
    request_queue_size = 128  # more connections at once than the default lets in
    block_on_close = False


class FakeServer:
    """Context manager. `seen` lists the requests in the order in which they were answered."""

    def __init__(
        self,
        plan: Plan | None = None,
        wait_for: int = 0,
        text: Text = text_of,
        delay_s: float = 0.0,
        models: list[str] | None = None,
        port: int = 0,
    ) -> None:
        """`models` is what it lists at /v1/models; None: it knows no such page."""
        self.text = text
        self.delay_s = delay_s
        self.models = models
        self.plan = plan or (lambda k, body: None)
        self.seen: list[Seen] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.arrived = 0
        self._wait_for = wait_for
        self._changed = threading.Condition()
        self._http = _Http(("127.0.0.1", port), self._handler())
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    @property
    def paid(self) -> list[tuple[str, int]]:
        """(prompt, seed) of every good answer."""
        return [(prompt_of(seen.body), seen.body["seed"]) for seen in self.seen if seen.status == 200]

    def __enter__(self) -> "FakeServer":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def wait_until(self, condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, timeout_s), "the server never saw what the test waits for"

    def _enter(self) -> int:
        with self._changed:
            index = self.arrived
            self.arrived += 1
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            self._changed.notify_all()
            # Proves that so many requests really come at once: the first ones wait for the last one.
            if self.arrived < self._wait_for:
                self._changed.wait_for(lambda: self.arrived >= self._wait_for, timeout=20)
            return index

    def _leave(self, seen: Seen) -> None:
        with self._changed:
            self.in_flight -= 1
            self.seen.append(seen)
            self._changed.notify_all()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet: else every answer waits for a delayed acknowledgement

            def do_GET(self) -> None:
                found = self.path == "/v1/models" and server.models is not None
                data = json.dumps({"data": [{"id": name} for name in server.models or []]}).encode()
                self.send_response(200 if found else 404)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                index = server._enter()
                fault = server.plan(index, body) or Fault()
                time.sleep(server.delay_s)
                if fault.hold is not None:
                    fault.hold.wait(30)
                server._leave(Seen(self.path, body, self.headers.get("authorization"), fault.status))
                self._send(fault, body)

            def _send(self, fault: Fault, body: dict[str, Any]) -> None:
                good = (
                    {"error": {"message": fault.message}}
                    if fault.status != 200
                    else answer(body, fault, self.path, server.text)
                )
                data = fault.raw if fault.raw is not None else json.dumps(good).encode()
                if fault.remake is not None:
                    data = fault.remake(good)
                try:
                    self.send_response(fault.status)
                    self.send_header("content-type", fault.content_type)
                    self.send_header("content-length", str(len(data)))
                    for name, value in fault.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(data[: len(data) // 2] if fault.cut_body else data)
                    self.wfile.flush()
                except OSError:
                    self.close_connection = True  # the client is gone: some tests kill it
                self.close_connection = self.close_connection or fault.cut_body

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


def answer(body: dict[str, Any], fault: Fault, path: str, text: Text) -> dict[str, Any]:
    count = body.get("n", 1) if fault.choices is None else fault.choices
    texts = ["" if fault.blank else text(prompt_of(body), body.get("seed", 0), i) for i in range(count)]
    key = "message" if path.endswith("/chat/completions") else "text"
    return {
        "id": "x",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body["model"],
        "choices": [
            {
                "index": i,
                "finish_reason": fault.finish_reason,
                key: {"role": "assistant", "content": text} if key == "message" else text,
            }
            for i, text in enumerate(texts)
        ],
        "usage": {"prompt_tokens": 7, "completion_tokens": 5 * count, "total_tokens": 7 + 5 * count},
    }


def main() -> None:
    """Answers until it is killed."""

    def told(prompt: str, seed: int, choice: int) -> str:
        print(json.dumps([prompt, seed]), flush=True)
        return text_of(prompt, seed, choice)

    with FakeServer(text=told, delay_s=float(sys.argv[1])) as server:
        print(server.base_url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
