"""Publishing against a Hub of our own over real HTTP: the whole sequence, and everything that can go wrong in it."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from datasets import load_dataset
from huggingface_hub.utils._xet import abort_xet_session

from codepref import cli
from codepref.publish import hub

import releases  # isort: skip
from hub_double import Fault, clients  # isort: skip

pytest_plugins = ["hub_double.fixtures"]

REPO = releases.REPO
PARQUET = "correctness/train-00000-of-00001.parquet"
NAMES = ("correctness", "labels")
WRITES = ("POST", "PUT")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built") / "run"
    releases.build(folder, correctness=releases.pairs(), labels=releases.labels())
    return folder


def test_one_commit_with_data_and_card_then_a_tag(remote, built, capsys):
    assert releases.publish(built, "--tag", "v1.0.0") == 0
    repo = releases.held(remote)
    assert set(repo.files) == releases.sent(built) | {".gitattributes"}
    assert len(repo.log) == 2
    assert repo.tags == {"v1.0.0": repo.head}
    assert repo.files[PARQUET] == (built / PARQUET).read_bytes()
    assert f'load_dataset("{REPO}", "correctness", split="train")' in repo.files["README.md"].decode()
    output = capsys.readouterr()
    assert f"{REPO}@v1.0.0: loaded back, 5 files" in output.out
    assert "hf_writer" not in output.out + output.err


def test_others_load_the_same_bytes_by_tag(remote, built):
    releases.publish(built, "--tag", "v1.0.0")
    for name, rows in (("correctness", 3), ("labels", 2)):
        loaded = load_dataset(REPO, name, split="train", revision="v1.0.0")
        assert loaded.to_list() == load_dataset(str(built), name, split="train").to_list()
        assert loaded.num_rows == rows
    stated = json.loads(releases.held(remote).files["manifest.json"])["dataset"]["correctness"]["files"][0]
    assert hashlib.sha256(releases.held(remote).files[PARQUET]).hexdigest() == stated["sha256"]


def test_a_second_publish_does_nothing_and_says_so(remote, built, capsys):
    releases.publish(built, "--tag", "v1.0.0")
    before = len(remote.requests)
    assert releases.publish(built, "--tag", "v1.0.0") == 0
    assert "nothing to do" in capsys.readouterr().out
    assert releases.publish(built) == 0
    assert not [path for method, path in remote.requests[before:] if method in WRITES and "/paths-info/" not in path]
    assert len(releases.held(remote).log) == 2


def test_what_is_gone_here_goes_there(remote, built, tmp_path, capsys):
    releases.publish(built, "--tag", "v1.0.0")
    fewer = tmp_path / "fewer"
    releases.build(fewer, labels=releases.labels(5))
    assert releases.publish(fewer, "--tag", "v2.0.0") == 0
    assert set(releases.held(remote).files) == releases.sent(fewer) | {".gitattributes"}
    assert load_dataset(REPO, split="train").column_names[:4] == ["prompt_id", "prompt", "completion", "label"]
    assert load_dataset(REPO, "correctness", split="train", revision="v1.0.0").num_rows == 3


def test_a_dry_run_tells_everything_and_changes_nothing(remote, built, tmp_path, monkeypatch, capsys):
    releases.publish(built)
    other = tmp_path / "other"
    releases.build(other, correctness=releases.pairs(4))
    monkeypatch.delenv("HF_TOKEN")
    before = len(remote.requests)
    capsys.readouterr()
    assert releases.publish(other, "--tag", "v2", "--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"change  {PARQUET}  {(other / PARQUET).stat().st_size:,} bytes" in lines
    assert "delete  labels/train-00000-of-00001.parquet" in lines
    assert "tag     v2 on the new commit" in lines
    assert lines[-1].startswith("no Hub token found")
    assert {method for method, _ in remote.requests[before:]} == {"GET"}
    assert releases.publish(built, "--dry-run") == 0
    assert "nothing to do" in capsys.readouterr().out


def test_a_dry_run_of_a_new_repository(remote, built, capsys):
    assert releases.publish(built, "--private", "--dry-run") == 0
    assert capsys.readouterr().out.startswith(f"{REPO}: would be created, private\nadd     README.md")
    assert not remote.repos


def test_private_repositories(remote, built, capsys):
    assert releases.publish(built, "--private") == 0
    assert releases.held(remote).private
    releases.held(remote).private = False
    assert releases.publish(built, "--private") == 2
    assert "is public already" in capsys.readouterr().err


def test_a_tag_is_never_moved(remote, built, tmp_path, capsys):
    releases.publish(built, "--tag", "v1")
    first = releases.held(remote).head
    other = tmp_path / "other"
    releases.build(other, correctness=releases.pairs(4))
    for more in ([], ["--dry-run"]):
        assert releases.publish(other, "--tag", "v1", *more) == 2
        assert "already published with other content" in capsys.readouterr().err
    assert releases.held(remote).head == releases.held(remote).tags["v1"] == first
    releases.publish(other, "--tag", "v2")
    capsys.readouterr()
    assert releases.publish(built, "--tag", "v1") == 0
    assert "nothing to do" in capsys.readouterr().out
    assert releases.held(remote).head == releases.held(remote).tags["v2"]


def test_a_commit_without_its_tag_is_finished_by_the_next_run(remote, built, capsys):
    remote.faults.append(Fault("POST", "/tag/", 500, times=99))
    assert releases.publish(built, "--tag", "v1") == 2
    assert "is whole (commit" in capsys.readouterr().err
    remote.faults.clear()
    assert releases.publish(built, "--tag", "v1") == 0
    assert releases.held(remote).tags == {"v1": releases.held(remote).head}
    assert len(releases.held(remote).log) == 2


def test_a_commit_of_somebody_else_in_between_is_seen(remote, built, tmp_path):
    releases.publish(built)
    repo = releases.held(remote)

    def meddle():
        change = {"key": "file", "value": {"path": "notes.txt", "content": "bm90ZQ==", "encoding": "base64"}}
        repo.commit([{"key": "header", "value": {"summary": "a note"}}, change], {})

    other = tmp_path / "other"
    releases.build(other, correctness=releases.pairs(4))
    remote.faults.append(Fault("POST", "/commit/", other=meddle))
    assert releases.publish(other) == 0
    assert [title for _, title in repo.log][2] == "a note"
    assert set(repo.files) == releases.sent(other) | {".gitattributes"}


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
    assert releases.publish(built) == 2
    error = capsys.readouterr().err
    assert message in error
    assert not token or token not in error
    assert not remote.repos


def test_a_token_that_may_not_write_here_is_told_before_the_upload(remote, built, monkeypatch, capsys):
    remote.repo("datasets", REPO)
    monkeypatch.setenv("HF_TOKEN", "hf_stranger")
    assert releases.publish(built) == 2
    assert "the token may not do this" in capsys.readouterr().err
    assert not [path for _, path in remote.requests if "preupload" in path]


def test_names_that_are_taken(remote, built, capsys):
    remote.repo("models", REPO)
    assert releases.publish(built) == 2
    assert f"{REPO} is already the name of a model" in capsys.readouterr().err
    assert releases.publish(built, "--dry-run") == 2
    assert f"{REPO} is already the name of a model" in capsys.readouterr().err
    assert releases.publish(built, repo="pairs") == 2
    assert "give ORG/NAME" in capsys.readouterr().err
    assert releases.publish(built, repo="org/a..b") == 2
    assert "org/a..b: " in capsys.readouterr().err


def test_files_of_others_are_not_deleted(remote, built, capsys):
    change = {"key": "file", "value": {"path": "data.csv", "content": "YQ==", "encoding": "base64"}}
    repo = remote.repo("datasets", REPO)
    repo.commit([{"key": "header", "value": {"summary": "mine"}}, change], {})
    for more in ([], ["--dry-run"]):
        assert releases.publish(built, *more) == 2
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
        repo = releases.held(remote)
        blob = repo.trees[repo.head][PARQUET]
        object.__setattr__(blob, "data", blob.data[:-1] + b"?")

    remote.faults.append(Fault(*request_, other=spoil))
    assert releases.publish(built, "--tag", "v1") == 2
    assert message in capsys.readouterr().err


def test_xet_storage(remote, tmp_path, monkeypatch):
    """The client's default way of sending large files: chunks, packed in three ways, some of them shared."""
    clients.point(monkeypatch, remote.url, tmp_path / "home", xet=True)
    folder = tmp_path / "run"
    words = "".join(hashlib.sha256(b"%d" % i).hexdigest() for i in range(6000))
    rows = [releases.Pair(f"p{i}", words[i * 64 :][:9000], words[i * 99 :][:20000], "pass", 0.5) for i in range(60)]
    releases.build(folder, correctness=rows, again=rows[:40])
    assert releases.publish(folder, "--tag", "v1") == 0
    assert [path for _, path in remote.requests if path.startswith("/v1/xorbs/")]
    assert not [path for _, path in remote.requests if path.startswith("/lfs/")]
    assert releases.held(remote).files[PARQUET] == (folder / PARQUET).read_bytes()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault("POST", "/v1/xorbs/", times=99), "the upload broke off: "),
        (Fault("POST", "/v1/shards", 503, times=99), "503 Service Unavailable"),
        (Fault("GET", "/xet-write-token/", 403, times=99), "403 Forbidden"),
    ],
)
def test_xet_storage_that_breaks_off(remote, built, tmp_path, monkeypatch, fault, message, capsys):
    abort_xet_session()  # a session reads these when it begins
    monkeypatch.setenv("HF_XET_CLIENT_RETRY_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("HF_XET_CLIENT_RETRY_BASE_DELAY", "10ms")
    clients.point(monkeypatch, remote.url, tmp_path / "home", xet=True)
    remote.faults.append(replace(fault))
    assert releases.publish(built) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "nothing was committed" in error
    assert set(releases.held(remote).files) == {".gitattributes"}
    remote.faults.clear()
    assert releases.publish(built) == 0
    assert set(releases.held(remote).files) == releases.sent(built) | {".gitattributes"}
    abort_xet_session()


def test_a_stopped_upload_goes_on_with_the_files_that_are_missing(remote, built, capsys):
    sent = [hashlib.sha256((built / f"{name}/{PARQUET.rpartition('/')[2]}").read_bytes()).hexdigest() for name in NAMES]
    remote.faults.append(Fault("PUT", f"/lfs/{sent[1]}", 403, times=99))
    assert releases.publish(built) == 2
    assert "what has arrived is not sent twice" in capsys.readouterr().err
    remote.faults.clear()
    before = len(remote.requests)
    assert releases.publish(built) == 0
    again = [path for method, path in remote.requests[before:] if method == "PUT" and "/lfs/" in path]
    assert again == [f"/lfs/{sent[1]}"]
    assert set(releases.held(remote).files) == releases.sent(built) | {".gitattributes"}


def test_push_at_the_end_of_a_build(remote, tmp_path, capsys):
    from builders_recordings import write

    recordings = write(tmp_path / "g.jsonl")
    settings = [f"generations={recordings}", "limits.cpu_s=0.3"]
    words = ["build", "codedpo", "--quiet", *(word for item in settings for word in ("--set", item))]
    assert cli.main([*words, "--out", str(tmp_path / "run"), "--push", f"{REPO}@v1"]) == 0
    assert load_dataset(REPO, split="train", revision="v1").num_rows == 4
    assert not [path for path in releases.held(remote).files if "stages" in path]
    remote.users["hf_writer"].role = "read"
    try:
        assert cli.main([*words, "--out", str(tmp_path / "never"), "--push", f"{REPO}@v2"]) == 2
    finally:
        remote.users["hf_writer"].role = "write"
    assert not (tmp_path / "never").exists()  # what keeps it from being published is said before the build


def test_push_at_the_end_of_training(remote, tmp_path, monkeypatch, capsys):
    """A folder that is made at once stands in for the hours of training; recipes have tests of their own."""
    codes = [1, 0]

    def train(command):
        if not (tmp_path / "out").exists():
            releases.adapter(tmp_path / "out")
        return codes.pop(0)

    monkeypatch.setattr("codepref.commands.train.finished", train)
    (tmp_path / "dpo.yaml").write_text("output_dir: elsewhere\nbeta: 0.1\n")
    words = ["train", "dpo", "--config", str(tmp_path / "dpo.yaml"), "--push", "org/adapter@v1"]
    assert cli.main([*words, "--set", f"output_dir={tmp_path / 'out'}"]) == 1
    assert not remote.repos  # what failed is not published
    assert cli.main([*words, "--set", f"output_dir={tmp_path / 'out'}"]) == 0
    assert releases.held(remote, "models", "org/adapter").tags == {
        "v1": releases.held(remote, "models", "org/adapter").head
    }
    assert cli.main(["train", "dpo", "--push", "org/adapter"]) == 2
    assert "--push needs output_dir" in capsys.readouterr().err


def test_interrupting_leaves_no_half(remote, built):
    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hub, "_upload", interrupt)
        assert releases.publish(built) == cli.INTERRUPTED
    assert set(releases.held(remote).files) == {".gitattributes"}
    assert releases.publish(built) == 0
    assert set(releases.held(remote).files) == releases.sent(built) | {".gitattributes"}
