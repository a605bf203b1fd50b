"""Doubles of what servers send in place of a plain answer: each makes the body of a `Fault` out of the good answer."""

import copy
import json

LOG_IN = (
    b"<!DOCTYPE html>\n<html><head><title>Sign in</title><style>p {x: 1}</style></head>"
    b"<body><p>Please log in to &laquo;Acme&raquo;</p></body></html>"
)
BUSY = b"<html><head><title>503 Service Temporarily Unavailable</title></head><body>nginx</body></html>"


def message(change):
    """The good answer with the message of every choice changed; `change` gets the text."""

    def remake(good):
        made = copy.deepcopy(good)
        for choice in made["choices"]:
            choice["message"] = {"role": "assistant", **change(choice["message"]["content"])}
        return json.dumps(made).encode()

    return remake


def halves(text):
    return text[: len(text) // 2], text[len(text) // 2 :]


ANSWERS = {
    "parts": message(lambda text: {"content": [{"type": "text", "text": half} for half in halves(text)]}),
    "parts that are texts": message(lambda text: {"content": list(halves(text))}),
    "one part": message(lambda text: {"content": {"type": "text", "text": text}}),
    "parts with values": message(lambda text: {"content": [{"type": "text", "text": {"value": text}}]}),
    "output_text": message(lambda text: {"content": [{"type": "output_text", "text": text, "annotations": []}]}),
    "a part with thoughts": message(
        lambda text: {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "hmm"}]},
                {"type": "reasoning", "text": "hmm"},
                {"type": "text", "text": "hmm", "thought": True},
                {"type": "text", "text": text},
            ]
        }
    ),
    "reasoning_content": message(lambda text: {"content": text, "reasoning_content": "hmm"}),
    "reasoning": message(lambda text: {"content": text, "reasoning": "hmm", "reasoning_details": [{"text": "hmm"}]}),
    "thinking": message(lambda text: {"content": text, "thinking": "hmm"}),
    "refusal is null": message(lambda text: {"content": text, "refusal": None}),
    "error is null": lambda good: json.dumps({"error": None, **good}).encode(),
    "byte order mark": lambda good: b"\xef\xbb\xbf" + json.dumps(good).encode(),
    "usage is missing": lambda good: json.dumps({**good, "usage": None}).encode(),
}
"""Good answers in other shapes, by name."""


def stream(good, end="\n\n", done=True, comment=True):
    """The answer as server-sent events, each text in two pieces, with thoughts before it."""
    events = []
    for choice in good["choices"]:
        pieces = [{"role": "assistant", "content": ""}, {"reasoning_content": "hmm", "content": None}]
        pieces += [{"content": half} for half in halves(choice["message"]["content"])]
        events += [{"choices": [{"index": choice["index"], "delta": piece}]} for piece in pieces]
        events.append({"choices": [{"index": choice["index"], "delta": {}, "finish_reason": "stop"}]})
    events.append({"choices": [], "usage": good["usage"]})
    lines = [": PROCESSING"] if comment else []
    lines += [f"data: {json.dumps(event)}" for event in events] + ["data: [DONE]"] * done
    return (end.join(lines) + end).encode()


STREAMS = {
    "stream": stream,
    "stream with CR LF": lambda good: stream(good, end="\r\n\r\n"),
    "stream without blank lines": lambda good: stream(good, end="\n", comment=False),
    "stream without an end mark": lambda good: stream(good, done=False),
}


def empty(reason, **fields):
    """A choice without text."""
    return json.dumps(
        {
            "choices": [{"index": 0, "finish_reason": reason, "message": {"content": None, **fields}}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 5},
        }
    ).encode()


OWN_EMPTIES = {
    "refusal": (empty("stop", refusal="I can't\nhelp with that."), "refusal: I can't help with that."),
    "refusal in a part": (
        empty("stop", content=[{"type": "refusal", "refusal": "No."}]),
        "refusal: No.",
    ),
    "filter": (empty("content_filter"), "content_filter"),
    "filter of Gemini": (empty("SAFETY"), "content_filter"),
    "length": (empty("length", reasoning_content="hmm"), "length: thoughts, but no answer"),
    "max_tokens": (empty("max_tokens"), "length"),
}
"""What a model means as its answer though it holds no text: the body and the reason that is kept."""

PASSING = {
    "rate limit": b'{"error": {"message": "Rate limit exceeded", "code": 429}}',
    "code in words": b'{"error": {"message": "slow down", "type": "rate_limit_exceeded"}}',
    "provider": b'{"error": {"message": "Provider returned error", "code": 502}}',
    "text": b'{"error": "Model is overloaded, try again later"}',
    "in the choice": b'{"choices": [{"error": {"message": "upstream", "code": 503}, "finish_reason": "error"}]}',
    "base_resp": b'{"choices": null, "base_resp": {"status_code": 1002, "status_msg": "rate limit"}}',
    "page": BUSY,
    "words": b"upstream connect error or disconnect/reset before headers",
    "error in a stream": b'data: {"error": {"message": "overloaded", "code": 529}}\n\n',
    "half a stream": b'data: {"choices": [{"index": 0, "delta": {"content": "def f"}}]}\n\n',
}
"""Passing trouble that comes with HTTP 200."""

UNKNOWN = {
    "error": b'{"error": {"message": "EngineCore met an issue"}}',
    "FastChat": b'{"object": "error", "message": "it went wrong", "code": 50001}',
    "detail": b'{"detail": "it went wrong"}',
    "log-in page": LOG_IN,
    "words": b"it went wrong",
}
"""Trouble of unknown meaning that comes with HTTP 200."""
