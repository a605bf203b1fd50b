"""What passes is waited for, what does not is one line; either way the repository is as it was or whole."""

import time
from dataclasses import replace

import pytest

from codepref.publish import retry

import releases  # isort: skip
from hub_double import Fault, clients  # isort: skip

pytest_plugins = ["hub_double.fixtures"]
REPO = releases.REPO


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built") / "run"
    releases.build(folder, correctness=releases.pairs(), labels=releases.labels())
    return folder


PASSING = {
    "409 at the commit": [Fault("POST", "/commit/", 409)],
    "412 at the commit": [Fault("POST", "/commit/", 412)],
    "429 at the commit": [Fault("POST", "/commit/", 429, headers={"Retry-After": "7"})],
    "429 with a rate limit": [Fault("POST", "/commit/", 429, headers={"ratelimit": '"api";r=0;t=55'})],
    "504 at the commit": [Fault("POST", "/commit/", 504, times=4)],
    "504 although the commit arrived": [Fault("POST", "/commit/", 504, done=True)],
    "connection cut although the commit arrived": [Fault("POST", "/commit/", done=True)],
    "connection cut at the commit": [Fault("POST", "/commit/")],
    "a page of a proxy instead of JSON": [Fault("POST", "/validate-yaml", 504, body=b"<html>")],
    "the upload is cut twice": [Fault("PUT", "/lfs/", times=2)],
    "504 before and at the upload": [Fault("POST", "/preupload/", 504), Fault("PUT", "/lfs/", 504)],
    "the tag arrived, its answer did not": [Fault("POST", "/tag/", 504, done=True)],
    "the repository was made, the answer did not arrive": [Fault("POST", "/repos/create", 502, done=True)],
    "trouble while looking": [Fault("GET", "/whoami", 503), Fault("GET", "/refs", 500), Fault("GET", "/tree/", 503)],
    "cut while loading back": [Fault("HEAD", "/resolve/"), Fault("GET", "/resolve/v1/"), Fault("GET", "/tree/v1")],
}


WAITS = {
    "429 at the commit": [7.0],
    "429 with a rate limit": [55.0],
    "504 at the commit": [1.0, 2.0, 4.0, 8.0],
    "504 although the commit arrived": [1.0],
}


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_is_waited_for(remote, built, name, capsys):
    remote.faults += [replace(fault) for fault in PASSING[name]]
    assert releases.publish(built, "--tag", "v1") == 0, capsys.readouterr().err
    assert not [fault for fault in remote.faults if fault.times]
    repo = releases.held(remote)
    assert set(repo.files) == releases.sent(built) | {".gitattributes"}
    assert repo.tags == {"v1": repo.head}
    assert len(repo.log) == 2  # no second commit where the first had arrived
    assert remote.waits == WAITS.get(name, remote.waits)


LASTING = {
    "504 at the commit": (Fault("POST", "/commit/", 504, times=99), "the Hub answered 504"),
    "409 at the commit": (Fault("POST", "/commit/", 409, times=99), "the Hub answered 409"),
    "412 at the commit": (Fault("POST", "/commit/", 412, times=99), "the Hub answered 412"),
    "commit quota for an hour": (
        Fault("POST", "/commit/", 429, times=99, headers={"Retry-After": "3600"}),
        "too many requests, the Hub asks to wait 3600 s",
    ),
    "connection cut in every upload": (Fault("PUT", "/lfs/", times=99), "no connection to http://127.0.0.1"),
    "connection cut at the commit": (Fault("POST", "/commit/", times=99), "no connection to http://127.0.0.1"),
    "the Hub's disk is full": (Fault("PUT", "/lfs/", 507, times=99), "the Hub answered 507"),
    "no right to commit": (Fault("POST", "/commit/", 403, times=99), "the token may not do this"),
    "only a proxy answers": (Fault("POST", "/validate-yaml", 200, times=99, body=b"<html>"), "not JSON"),
}


@pytest.mark.parametrize("name", LASTING)
def test_what_does_not_pass_is_one_line_and_leaves_no_half(remote, built, tmp_path, name, capsys):
    releases.publish(built)
    before = dict(releases.held(remote).files)
    other = tmp_path / "other"
    releases.build(other, correctness=releases.pairs(4))
    fault, message = LASTING[name]
    remote.faults.append(replace(fault))
    capsys.readouterr()
    assert releases.publish(other, "--tag", "v2") == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith(f"codepref: error: {REPO}: ")
    assert message in error
    assert len(error.splitlines()) == 1
    assert "hf_writer" not in error
    assert releases.held(remote).files == before
    assert 99 - remote.faults[0].times <= 6
    remote.faults.clear()
    assert releases.publish(other, "--tag", "v2") == 0
    assert set(releases.held(remote).files) == releases.sent(other) | {".gitattributes"}


def test_a_hub_that_falls_silent_is_given_up(remote, built, monkeypatch):
    monkeypatch.setattr(retry, "SILENCE_S", 0.4)
    remote.faults.append(Fault("GET", "/whoami", other=lambda: time.sleep(1)))
    assert releases.publish(built) == 0
    assert remote.waits == [1.0]


def test_offline_mode_and_no_hub_at_all(remote, built, monkeypatch, capsys):
    monkeypatch.setattr(clients.constants, "HF_HUB_OFFLINE", True)
    assert releases.publish(built) == 2
    assert "offline mode is on (HF_HUB_OFFLINE)" in capsys.readouterr().err
    monkeypatch.setattr(clients.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(clients.constants, "ENDPOINT", "http://127.0.0.1:9")
    for more in ([], ["--dry-run"]):
        assert releases.publish(built, *more) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert f"{REPO}: no connection to http://127.0.0.1:9; look at the network, the proxy and HF_ENDPOINT" in line
    assert not remote.waits  # what never answered is not asked again and again
