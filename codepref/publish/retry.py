"""Patience with the Hub: waiting for what passes, and one clear line for what does not."""

import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from codepref.errors import CodeprefError

TRIES = 5
FIRST_WAIT_S = 1.0
"""Seconds before the second try; doubled from try to try unless the Hub names a time."""
LONGEST_WAIT_S = 120.0
"""A Hub that asks for more patience than this gets an error line instead of a waiting program."""
SILENCE_S = 150.0
"""Seconds without a byte after which a connection counts as lost; the client alone would wait forever."""
PASSING = {408, 409, 412, 429, 500, 502, 503, 504}

Say = Callable[[str], None]
Result = TypeVar("Result")


def patiently(call: Callable[[], Result], say: Say) -> Result:
    """Calls up to `TRIES` times, as long as what goes wrong is likely to pass.

    The call looks at the state of things first, each time: what an earlier try did, although its answer was lost, is
    found and not done twice.

    Raises:
        httpx2.HTTPError, json.JSONDecodeError: the last error; `explained` makes a line of it.
    """
    import httpx2
    from huggingface_hub import get_session

    for attempt in range(TRIES):
        get_session().timeout = SILENCE_S
        try:
            return call()
        except (httpx2.HTTPError, json.JSONDecodeError) as error:
            wait = _wait(error, attempt)
            if wait is None:
                raise
            say(f"{reason(error)}; trying again in {wait:g} s")
            time.sleep(wait)
    raise AssertionError("the last try returns or raises")


@contextlib.contextmanager
def explained(repo_id: str, state: str) -> Iterator[None]:
    """Turns whatever the client raises into one line: what went wrong, and how the repository is left.

    Raises:
        CodeprefError: in place of the client's errors.
    """
    import httpx2

    try:
        yield
    except (httpx2.HTTPError, OSError, ValueError) as error:
        raise CodeprefError(f"{repo_id}: {reason(error)}; {repo_id} {state}") from error


def reason(error: BaseException) -> str:
    """One line for an error of the client, the network or the disk. Never holds a token or a signed address."""
    import httpx2
    from huggingface_hub import constants
    from huggingface_hub.errors import OfflineModeIsEnabled

    while error.__cause__ is not None and not isinstance(error, httpx2.HTTPError):
        error = error.__cause__
    response = getattr(error, "response", None)
    if response is not None:
        return _status(response, str(getattr(error, "server_message", None) or ""))
    if isinstance(error, OfflineModeIsEnabled):
        return "offline mode is on (HF_HUB_OFFLINE); unset it"
    if isinstance(error, json.JSONDecodeError):
        return f"{constants.ENDPOINT} answered something that is not JSON"
    if isinstance(error, httpx2.HTTPError):
        return f"no connection to {constants.ENDPOINT} ({first_line(error)})"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or tempfile.gettempdir()}: {error.strerror}"
    return first_line(error)


def first_line(error: object) -> str:
    """The first line of a message that is not empty; else the name of the error."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _wait(error: Exception, attempt: int) -> float | None:
    """Seconds to wait before the next try; None: it is no use."""
    response = getattr(error, "response", None)
    asked = None
    if response is not None:
        if response.status_code not in PASSING:
            return None
        asked = _asked(response)
    if attempt == TRIES - 1 or (asked or 0.0) > LONGEST_WAIT_S:
        return None
    return FIRST_WAIT_S * 2**attempt if asked is None else asked


def _asked(response: Any) -> float | None:
    """Seconds the Hub asks to wait: Retry-After, or the reset of the rate limit."""
    from huggingface_hub.utils import parse_ratelimit_headers

    stated = response.headers.get("Retry-After", "")
    if stated.isdigit():
        return float(stated)
    limit = parse_ratelimit_headers(response.headers) if response.status_code == 429 else None
    return float(limit.reset_in_seconds) if limit and limit.remaining == 0 else None


def _status(response: Any, message: str) -> str:
    said = f" ({first_line(message)})" if message else ""
    status = response.status_code
    if status == 401:
        return f"the Hub does not accept the token{said}; log in again: hf auth login"
    if status == 403:
        return f"the token may not do this{said}; it needs write permission there: hf auth login"
    if status == 429:
        asked = _asked(response)
        return f"too many requests{f', the Hub asks to wait {asked:g} s' if asked else ''}{said}"
    return f"the Hub answered {status} {response.reason_phrase}{said}"
