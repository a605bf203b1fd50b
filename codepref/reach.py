"""Reading from the Hub without a long wait where it can not be reached.

The Hub's clients try again for about a minute before they say that there is no connection, once for every file.
"""

import contextlib
import functools
import socket
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

PATIENCE_S = 5.0
"""Seconds for a connection to the Hub, or to the proxy on the way to it."""


@contextlib.contextmanager
def quick_to_fail(name: str) -> Iterator[None]:
    """What is read from the Hub inside comes from the copies on this machine if nothing answers at the Hub's address.

    Args:
        name: ORG/NAME, or a folder, of which nothing is asked.

    Raises:
        ConnectionError: nothing answers, and what is read has no copy here.
    """
    from huggingface_hub import constants

    if Path(name).is_dir() or constants.HF_HUB_OFFLINE or _answers(constants.ENDPOINT):
        yield
        return
    datasets = sys.modules.get("datasets")
    switches = [constants] if datasets is None else [constants, datasets.config]
    for module in switches:
        module.HF_HUB_OFFLINE = True
    try:
        yield
    except OSError as error:  # the clients speak of an offline mode that nobody has asked for
        raise ConnectionError(f"{constants.ENDPOINT} does not answer, and there is no copy on this machine") from error
    finally:
        for module in switches:
            module.HF_HUB_OFFLINE = False


@functools.cache
def _answers(endpoint: str) -> bool:
    """Whether a connection to a server, or to the proxy on the way to it, comes about."""
    parts = urlsplit(endpoint)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), PATIENCE_S).close()
    except OSError:
        return False
    return True
