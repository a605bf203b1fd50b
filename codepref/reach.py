"""Reading from the Hub without a long wait where it can not be reached.

The Hub's clients try again for about a minute before they say that there is no connection, once for every file.
"""

import contextlib
import functools
import queue
import socket
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from urllib.parse import urlsplit

PATIENCE_S = 5.0
"""Seconds for a connection to the Hub, or to the proxy on the way to it, its name looked up and all addresses tried."""
_ADDRESS_S = PATIENCE_S / 3
REMEDY = "look at the network, the proxy and HF_ENDPOINT"
_AWAY: ContextVar[bool] = ContextVar("away", default=False)
"""The clients are offline because of `quick_to_fail`, and not because the user wants it so."""


@contextlib.contextmanager
def quick_to_fail(name: str) -> Iterator[None]:
    """What is read from the Hub inside comes from the copies on this machine if nothing answers at the Hub's address.

    Args:
        name: ORG/NAME, or a folder or file, of which nothing is asked.

    Raises:
        ConnectionError: nothing answers, and what is read has no copy here.
    """
    from huggingface_hub import constants

    if Path(name).exists() or (constants.HF_HUB_OFFLINE and not _AWAY.get()) or answers():
        yield
        return
    try:
        with _offline():
            yield
    except OSError as error:  # the clients speak of an offline mode that nobody has asked for
        if error.errno is not None:  # the system's word, such as a full disk
            raise
        raise ConnectionError(
            f"{constants.ENDPOINT} does not answer, and there is no copy on this machine ({REMEDY})"
        ) from error


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """The Hub's clients of this process ask nobody; within itself it changes nothing."""
    from huggingface_hub import constants

    datasets = sys.modules.get("datasets")
    switches = [constants] if datasets is None else [constants, datasets.config]
    before = [(module, module.HF_HUB_OFFLINE) for module in switches]
    token = _AWAY.set(True)
    for module in switches:
        module.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        _AWAY.reset(token)
        for module, value in before:
            module.HF_HUB_OFFLINE = value


def answers() -> bool:
    """Whether a connection to the Hub, or to the proxy on the way to it, comes about; asked once."""
    from huggingface_hub import constants

    return _answers(constants.ENDPOINT)


@functools.cache
def _answers(endpoint: str) -> bool:
    parts = urlsplit(endpoint)
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def connect() -> None:
        try:
            socket.create_connection((parts.hostname or "", port), _ADDRESS_S).close()
        except OSError:
            found.put(False)
        else:
            found.put(True)

    # a name is looked up for as long as the system likes: nobody waits for that
    threading.Thread(target=connect, daemon=True).start()
    try:
        return found.get(timeout=PATIENCE_S)
    except queue.Empty:
        return False
