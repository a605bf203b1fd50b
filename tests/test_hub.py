"""Publishing against a Hub of our own over real HTTP: the whole sequence, and everything that can go wrong in it."""

import hashlib
import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from datasets import load_dataset

from codepref import cli, hub, retry

import releases  # isort: skip
from hub_double import Fault, clients  # isort: skip

pytest_plugins = ["hub_double.fixtures"]

REPO = "org/pairs"
PARQUET = "correctness/train-00000-of-00001.parquet"
WRITES = ("POST", "PUT")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built") / "run"
    releases.build(folder, correctness=releases.pairs(), labels=releases.labels())
    return folder


def publish(folder, *more, repo=REPO):
    return cli.main(["publish", "dataset", str(folder), "--repo", repo, *more])


def held(remote, kind="datasets", name=REPO):
    return remote.repos[kind, name]


def published_files(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    data = [item["file"] for part in manifest["dataset"].values() for item in part["files"]]
    return {"README.md", "manifest.json", "exclusions.jsonl", *data}


def test_one_commit_with_data_and_card_then_a_tag(remote, built, capsys):
    assert publish(built, "--tag", "v1.0.0") == 0
    repo = held(remote)
    assert set(repo.files) == published_files(built) | {".gitattributes"}
    assert len(repo.log) == 2
    assert repo.tags == {"v1.0.0": repo.head}
    assert repo.files[PARQUET] == (built / PARQUET).read_bytes()
    assert f'load_dataset("{REPO}", "correctness", split="train")' in repo.files["README.md"].decode()
    output = capsys.readouterr()
    assert f"{REPO}@v1.0.0: loaded back, 5 files" in output.out
    assert "hf_writer" not in output.out + output.err


def test_others_load_the_same_bytes_by_tag(remote, built):
    publish(built, "--tag", "v1.0.0")
    for name, rows in (("correctness", 3), ("labels", 2)):
        loaded = load_dataset(REPO, name, split="train", revision="v1.0.0")
        assert loaded.to_list() == load_dataset(str(built), name, split="train").to_list()
        assert loaded.num_rows == rows
    stated = json.loads(held(remote).files["manifest.json"])["dataset"]["correctness"]["files"][0]
    assert hashlib.sha256(held(remote).files[PARQUET]).hexdigest() == stated["sha256"]


def test_a_second_publish_does_nothing_and_says_so(remote, built, capsys):
    publish(built, "--tag", "v1.0.0")
    before = len(remote.requests)
    assert publish(built, "--tag", "v1.0.0") == 0
    assert "nothing to do" in capsys.readouterr().out
    assert publish(built) == 0
    assert not [path for method, path in remote.requests[before:] if method in WRITES and "/paths-info/" not in path]
    assert len(held(remote).log) == 2


def test_what_is_gone_here_goes_there(remote, built, tmp_path, capsys):
    publish(built, "--tag", "v1.0.0")
    fewer = tmp_path / "fewer"
    releases.build(fewer, labels=releases.labels(5))
    assert publish(fewer, "--tag", "v2.0.0") == 0
    assert set(held(remote).files) == published_files(fewer) | {".gitattributes"}
    assert load_dataset(REPO, split="train").column_names[:4] == ["prompt_id", "prompt", "completion", "label"]
    assert load_dataset(REPO, "correctness", split="train", revision="v1.0.0").num_rows == 3


def test_a_dry_run_tells_everything_and_changes_nothing(remote, built, tmp_path, monkeypatch, capsys):
    publish(built)
    other = tmp_path / "other"
    releases.build(other, correctness=releases.pairs(4))
    monkeypatch.delenv("HF_TOKEN")
    before = len(remote.requests)
    capsys.readouterr()
    assert publish(other, "--tag", "v2", "--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"change  {PARQUET}  {(other / PARQUET).stat().st_size:,} bytes" in lines
    assert "delete  labels/train-00000-of-00001.parquet" in lines
    assert "tag     v2 on the new commit" in lines
    assert lines[-1].startswith("no Hub token found")
    assert {method for method, _ in remote.requests[before:]} == {"GET"}
    assert publish(built, "--dry-run") == 0
    assert "nothing to do" in capsys.readouterr().out


def test_a_dry_run_of_a_new_repository(remote, built, capsys):
    assert publish(built, "--private", "--dry-run") == 0
    assert capsys.readouterr().out.startswith(f"{REPO}: would be created, private\nadd     README.md")
    assert not remote.repos


def test_private_repositories(remote, built, capsys):
    assert publish(built, "--private") == 0
    assert held(remote).private
    held(remote).private = False
    assert publish(built, "--private") == 2
    assert "is public already" in capsys.readouterr().err


def test_a_tag_is_never_moved(remote, built, tmp_path, capsys):
    publish(built, "--tag", "v1")
    first = held(remote).head
    other = tmp_path / "other"
    releases.build(other, correctness=releases.pairs(4))
    for more in ([], ["--dry-run"]):
        assert publish(other, "--tag", "v1", *more) == 2
        assert "already published with other content" in capsys.readouterr().err
    assert held(remote).head == held(remote).tags["v1"] == first
    publish(other, "--tag", "v2")
    capsys.readouterr()
    assert publish(built, "--tag", "v1") == 0
    assert "nothing to do" in capsys.readouterr().out
    assert held(remote).head == held(remote).tags["v2"]


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
    assert publish(built, "--tag", "v1") == 0, capsys.readouterr().err
    assert not [fault for fault in remote.faults if fault.times]
    repo = held(remote)
    assert set(repo.files) == published_files(built) | {".gitattributes"}
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
    publish(built)
    before = dict(held(remote).files)
    other = tmp_path / "other"
    releases.build(other, correctness=releases.pairs(4))
    fault, message = LASTING[name]
    remote.faults.append(replace(fault))
    capsys.readouterr()
    assert publish(other, "--tag", "v2") == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith(f"codepref: error: {REPO}: ")
    assert message in error
    assert len(error.splitlines()) == 1
    assert "hf_writer" not in error
    assert held(remote).files == before
    assert 99 - remote.faults[0].times <= 6
    remote.faults.clear()
    assert publish(other, "--tag", "v2") == 0
    assert set(held(remote).files) == published_files(other) | {".gitattributes"}


def test_a_commit_without_its_tag_is_finished_by_the_next_run(remote, built, capsys):
    remote.faults.append(Fault("POST", "/tag/", 500, times=99))
    assert publish(built, "--tag", "v1") == 2
    assert "is whole (commit" in capsys.readouterr().err
    remote.faults.clear()
    assert publish(built, "--tag", "v1") == 0
    assert held(remote).tags == {"v1": held(remote).head}
    assert len(held(remote).log) == 2


def test_a_commit_of_somebody_else_in_between_is_seen(remote, built, tmp_path):
    publish(built)
    repo = held(remote)

    def meddle():
        change = {"key": "file", "value": {"path": "notes.txt", "content": "bm90ZQ==", "encoding": "base64"}}
        repo.commit([{"key": "header", "value": {"summary": "a note"}}, change], {})

    other = tmp_path / "other"
    releases.build(other, correctness=releases.pairs(4))
    remote.faults.append(Fault("POST", "/commit/", other=meddle))
    assert publish(other) == 0
    assert [title for _, title in repo.log][2] == "a note"
    assert set(repo.files) == published_files(other) | {".gitattributes"}


def test_a_hub_that_falls_silent_is_given_up(remote, built, monkeypatch):
    monkeypatch.setattr(retry, "SILENCE_S", 0.4)
    remote.faults.append(Fault("GET", "/whoami", other=lambda: time.sleep(1)))
    assert publish(built) == 0
    assert remote.waits == [1.0]


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("", "no Hub token found; log in with `hf auth login`"),
        ("hf_reader", "may only read; make one with the role 'write'"),
        ("hf_unknown", "the Hub does not accept the token"),
        ("hf_stranger", "the token may not do this (You don't have the rights"),
    ],
)
def test_tokens_that_will_not_do(remote, built, monkeypatch, token, message, capsys):
    monkeypatch.setenv("HF_TOKEN", token)
    assert publish(built) == 2
    error = capsys.readouterr().err
    assert message in error
    assert not token or token not in error
    assert not remote.repos


def test_a_token_that_may_not_write_here_is_told_before_the_upload(remote, built, monkeypatch, capsys):
    remote.repo("datasets", REPO)
    monkeypatch.setenv("HF_TOKEN", "hf_stranger")
    assert publish(built) == 2
    assert "the token may not do this" in capsys.readouterr().err
    assert not [path for _, path in remote.requests if "preupload" in path]


def test_names_that_are_taken(remote, built, capsys):
    remote.repo("models", REPO)
    assert publish(built) == 2
    assert f"{REPO} is already the name of a model" in capsys.readouterr().err
    assert publish(built, repo="pairs") == 2
    assert "give ORG/NAME" in capsys.readouterr().err
    assert publish(built, repo="org/a..b") == 2
    assert "org/a..b: " in capsys.readouterr().err


def test_files_of_others_are_not_deleted(remote, built, capsys):
    change = {"key": "file", "value": {"path": "data.csv", "content": "YQ==", "encoding": "base64"}}
    repo = remote.repo("datasets", REPO)
    repo.commit([{"key": "header", "value": {"summary": "mine"}}, change], {})
    for more in ([], ["--dry-run"]):
        assert publish(built, *more) == 2
        assert "holds files that codepref did not publish (data.csv)" in capsys.readouterr().err
    assert repo.files["data.csv"] == b"a"


def test_a_full_disk_here_is_one_line(remote, built, tmp_path):
    """A limit on the size of files stands in for a full disk; it strikes while the dataset is loaded back."""
    words = ["publish", "dataset", str(built), "--repo", REPO, "--tag", "v1"]
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)); "
        "from codepref.cli import main; sys.exit(main())"
    )
    environment = {**os.environ, **clients.environment(remote.url, tmp_path / "elsewhere")}
    result = subprocess.run([sys.executable, "-c", limited, *words], capture_output=True, text=True, env=environment)
    assert result.returncode == 2
    assert "File too large" in result.stderr
    assert "is published (commit" in result.stderr
    assert "Traceback" not in result.stderr
    result = subprocess.run(
        [sys.executable, "-m", "codepref.cli", *words], capture_output=True, text=True, env=environment
    )
    assert result.returncode == 0, result.stderr
    assert "nothing to do" in result.stdout
    assert "all hashes equal" in result.stdout


def test_offline_mode_and_no_hub_at_all(remote, built, monkeypatch, capsys):
    monkeypatch.setattr(clients.constants, "HF_HUB_OFFLINE", True)
    assert publish(built) == 2
    assert "offline mode is on (HF_HUB_OFFLINE)" in capsys.readouterr().err
    monkeypatch.setattr(clients.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(clients.constants, "ENDPOINT", "http://127.0.0.1:9")
    assert publish(built) == 2
    assert "no connection to http://127.0.0.1:9" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (("GET", "/tree/v1"), f"{PARQUET} differ from what was sent"),
        (("HEAD", f"/resolve/v1/{PARQUET}"), f"{PARQUET} came back with other bytes"),
    ],
)
def test_what_came_back_wrong_is_told(remote, built, request_, message, capsys):
    """A Hub that keeps other bytes than it was sent, and says so in its listing, or not."""

    def spoil():
        repo = held(remote)
        blob = repo.trees[repo.head][PARQUET]
        object.__setattr__(blob, "data", blob.data[:-1] + b"?")

    remote.faults.append(Fault(*request_, other=spoil))
    assert publish(built, "--tag", "v1") == 2
    assert message in capsys.readouterr().err


def test_xet_storage(remote, tmp_path, monkeypatch):
    """The client's default way of sending large files: chunks, packed in three ways, some of them shared."""
    clients.point(monkeypatch, remote.url, tmp_path / "home", xet=True)
    folder = tmp_path / "run"
    words = "".join(hashlib.sha256(b"%d" % i).hexdigest() for i in range(6000))
    rows = [releases.Pair(f"p{i}", words[i * 64 :][:9000], words[i * 99 :][:20000], "pass", 0.5) for i in range(60)]
    releases.build(folder, correctness=rows, again=rows[:40])
    assert publish(folder, "--tag", "v1") == 0
    assert [path for _, path in remote.requests if path.startswith("/v1/xorbs/")]
    assert not [path for _, path in remote.requests if path.startswith("/lfs/")]
    assert held(remote).files[PARQUET] == (folder / PARQUET).read_bytes()


def test_push_at_the_end_of_a_build(remote, tmp_path, capsys):
    from builders_recordings import write

    recordings = write(tmp_path / "g.jsonl")
    settings = [f"generations={recordings}", "limits.cpu_s=0.3"]
    words = ["build", "codedpo", "--quiet", *(word for item in settings for word in ("--set", item))]
    assert cli.main([*words, "--out", str(tmp_path / "run"), "--push", f"{REPO}@v1"]) == 0
    assert load_dataset(REPO, split="train", revision="v1").num_rows == 4
    assert not [path for path in held(remote).files if "stages" in path]
    remote.users["hf_writer"].role = "read"
    try:
        assert cli.main([*words, "--out", str(tmp_path / "never"), "--push", f"{REPO}@v2"]) == 2
    finally:
        remote.users["hf_writer"].role = "write"
    assert not (tmp_path / "never").exists()  # what keeps it from being published is said before the build


def test_interrupting_leaves_no_half(remote, built):
    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hub, "_upload", interrupt)
        assert publish(built) == cli.INTERRUPTED
    assert set(held(remote).files) == {".gitattributes"}
    assert publish(built) == 0
    assert set(held(remote).files) == published_files(built) | {".gitattributes"}
