"""Fixtures of tests that publish: `pytest_plugins = ["hub_double.fixtures"]`."""

from types import SimpleNamespace

import pytest
from huggingface_hub.utils import _http

from codepref.publish import retry
from hub_double import clients
from hub_double.server import Hub


@pytest.fixture(scope="module")
def hub_server():
    with Hub() as running:
        yield running


@pytest.fixture
def remote(hub_server, monkeypatch, tmp_path):
    """An empty Hub that the clients of this process talk to. Nobody really waits; `waits` has what we would have."""
    hub_server.reset()
    hub_server.waits = []
    clients.point(monkeypatch, hub_server.url, tmp_path / "home")
    monkeypatch.setattr(retry, "time", SimpleNamespace(sleep=hub_server.waits.append))
    monkeypatch.setattr(_http, "time", SimpleNamespace(sleep=lambda _: None))
    return hub_server
