"""From the bytes of a server's answer to JSON: streams put together, errors in good answers and web pages recognised.

Streams are server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
"""

import html
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

QUOTED = 300
"""Characters of a server's words that are shown."""
SHORTEST_KEY = 8
"""A shorter key is a place holder such as `none` or `k`, which ordinary words hold too."""
STREAM = re.compile(r"\s*(?::|(?:data|event|id|retry):)")
PAGE = re.compile(r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
LOG_IN = re.compile(r"\b(?:log ?in|sign ?in|sso|authenticate)\b|type=[\"']?password", re.I)
BUSY = re.compile(
    r"rate.?limit|too many requests|overload|unavailable|time[d ]?.?out|try again|tempora|capacity|\bbusy\b|"
    r"bad gateway|internal.?(?:server.?)?error|server_error|maintenance|upstream|provider returned error",
    re.I,
)
SPENT = re.compile(r"insufficient.?(?:quota|balance|credit|funds)|payment.?required", re.I)
KEY_REFUSED = re.compile(r"api.?key|unauthori[sz]ed|authentication|invalid.?token|permission", re.I)
NO_MODEL = re.compile(r"model.{0,80}(?:not found|does not exist)|model_not_found", re.I)
PROMPT_REFUSED = re.compile(
    r"invalid.?request|context.?length|too long|content.?(?:filter|policy)|moderation|unsupported|not supported|"
    r"unrecognized|unknown (?:field|param)|extra.?(?:inputs|fields)",
    re.I,
)

NOT_TAKEN = re.compile(
    r"support|unknown|unrecogni|permitted|allowed|accept|unexpected|invalid|extra|only|must|exceed|greater|larger|less",
    re.I,
)
"""Words in which servers refuse a field."""
NAMED = {
    "n": re.compile(
        r"['\"`]n['\"`]|\bparam(?:eter)?:?\s+n\b|\bn\s*(?:=|>|<|!=|is\b|must\b|should\b)|"
        r"\bmultiple (?:choices|completions|samples|generations|outputs)"
    ),
    "seed": re.compile(r"\bseeds?\b", re.I),
}
"""Fields that a request can do without, and how servers name them."""


@dataclass(frozen=True)
class Fault:
    """Why a body that came with a good status is no answer."""

    status: int
    """The HTTP status it amounts to; 200: nobody knows."""
    said: str


def read_body(data: bytes) -> Any:
    """The JSON in a body, None where it holds none, or a `Fault`.

    A stream becomes the answer that it is a stream of.
    """
    text = data.decode("utf-8-sig", "replace").strip()
    if PAGE.match(text):
        return _page(text)
    if STREAM.match(text):
        return _stream(text)
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        # A word or two in place of JSON is what gateways say; what begins like JSON was cut.
        return Fault(_status("", text), quoted(text)) if text and text[0] not in "{[" else None
    return error_in(body) or body


def error_in(body: Any) -> Fault | None:
    """The error that a body without any answer reports."""
    if not isinstance(body, dict):
        return None
    choices = body.get("choices")
    given = [one for one in choices if isinstance(one, dict)] if isinstance(choices, list) else []
    if any(not one.get("error") for one in given):
        return None
    error = next((one["error"] for one in given), None) or _error(body)
    if not error:
        return None
    inner = error if isinstance(error, dict) else body
    codes = [str(inner[name]) for name in ("code", "status", "status_code", "type") if inner.get(name)]
    return Fault(_status(codes[0] if codes else "", " ".join([*codes, quoted(error)])), quoted(error))


def _error(body: Mapping[str, Any]) -> Any:
    """What a body says is wrong, in the dialects of gateways."""
    base = body.get("base_resp")
    if isinstance(base, dict) and base.get("status_code"):
        return {"code": base["status_code"], "message": base.get("status_msg", "")}
    named = body.get("error") or body.get("errors") or body.get("detail")
    return named or (body if isinstance(body.get("message"), str) else None)


def _status(code: str, words: str) -> int:
    """The HTTP status that an error amounts to, from its code where that is one, else from its words."""
    number = int(code) if re.fullmatch(r"[45]\d\d", code) else 0
    meanings = (
        (402, SPENT),
        (number, None),
        (503, BUSY),
        (401, KEY_REFUSED),
        (404, NO_MODEL),
        (400, PROMPT_REFUSED),
    )
    return next((status for status, meant in meanings if status and (meant is None or meant.search(words))), 200)


def _page(text: str) -> Fault:
    title = re.search(r"<title[^>]*>(.*?)</title>", text, re.I | re.S)
    words = quoted(text)
    asks = LOG_IN.search(text)
    busy = BUSY.search(f"{title.group(1) if title else ''} {words}")
    kind = "a log-in page" if asks else "a web page"
    return Fault(503 if busy and not asks else 200, f"{kind} instead of an answer: {words}")


def _stream(text: str) -> Any:
    """The answer that a stream is made of, or why there is none."""
    events = list(_events(text))
    found = [event for event in events if isinstance(event, dict)]
    fault = next((fault for fault in map(error_in, found) if fault), None)
    if fault is not None:
        return fault
    choices: dict[int, dict[str, Any]] = {}
    for event in found:
        for piece in event.get("choices") or []:
            if isinstance(piece, dict):
                _add_piece(choices.setdefault(piece.get("index") or 0, {"message": {}}), piece)
    ended = "[DONE]" in events or (choices and all(choice.get("finish_reason") for choice in choices.values()))
    if not ended:
        return Fault(503, "a stream that broke off before its end")
    usages = [event["usage"] for event in found if event.get("usage")]
    return {"choices": [choices[index] for index in sorted(choices)], "usage": usages[-1] if usages else None}


def _events(text: str) -> Iterator[Any]:
    """The JSON of every event, and `[DONE]` for the end; what is no JSON is left out."""
    for block in re.split(r"(?:\r\n|\n|\r){2,}", text):
        lines = [line[5:].strip() for line in re.split(r"\r\n|\n|\r", block) if line.startswith("data:")]
        whole = _event("\n".join(lines))
        # Some servers leave out the empty line between events; then every line is one.
        found = [whole] if whole is not None else map(_event, lines)
        yield from (event for event in found if event is not None)


def _event(data: str) -> Any:
    if data == "[DONE]":
        return data
    try:
        return json.loads(data)
    except ValueError:
        return None


def _add_piece(choice: dict[str, Any], piece: Mapping[str, Any]) -> None:
    """Adds one event's piece of a choice to what came before."""
    message = choice["message"]
    delta = piece.get("delta") or piece.get("message") or {"content": piece.get("text")}
    for name, value in delta.items() if isinstance(delta, dict) else ():
        if isinstance(value, (str, list)) and name != "role":
            message[name] = _added(message.get(name), value)
    for name in ("finish_reason", "stop_reason", "error"):
        choice[name] = piece.get(name) or choice.get(name)


def _added(before: Any, value: str | list[Any]) -> str | list[Any]:
    if before is None:
        return value
    if isinstance(before, str) and isinstance(value, str):
        return before + value
    return [*(before if isinstance(before, list) else [before]), *(value if isinstance(value, list) else [value])]


def quoted(said: Any, key: str = "") -> str:
    """What a server said: one line without markup, at most `QUOTED` characters, without the key."""
    if isinstance(said, dict):
        said = _words(said)
    text = said if isinstance(said, str) else json.dumps(said)
    if PAGE.match(text):
        text = re.sub(r"<(script|style)\b.*?</\1>", " ", text, flags=re.I | re.S)
        text = html.unescape(re.sub(r"<[^>]*>", " ", text))
    return masked(" ".join(text.split()), key)[:QUOTED]


def _words(said: Mapping[str, Any]) -> Any:
    """What a JSON error says, and the field it is about."""
    inner = said.get("error") or said
    if not isinstance(inner, dict):
        return inner
    words = inner.get("message") or inner.get("detail") or inner.get("msg") or inner
    field = inner.get("param")
    if isinstance(words, str) and isinstance(field, str) and field not in re.findall(r"\w+", words):
        words = f"{words} ({field!r})"
    return words


def masked(line: str, key: str) -> str:
    """The line with `***` for the key, where it stands as a word of its own."""
    if len(key) < SHORTEST_KEY:
        return line
    return re.sub(rf"(?<![\w-]){re.escape(key)}(?![\w-])", "***", line)


def refused_field(said: str, sent: Collection[str]) -> str | None:
    """The field without which a refused request may be answered; None where the server's words name no such field."""
    if not NOT_TAKEN.search(said):
        return None
    return next((name for name, named in NAMED.items() if name in sent and named.search(said)), None)
