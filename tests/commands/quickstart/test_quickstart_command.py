"""`codepref quickstart`, whole and for real, smaller than its default: what it gains, what it keeps, how it goes on."""

import json
import signal
import subprocess
import sys
import time

import pytest

from interrupts import started  # isort: skip

pytestmark = pytest.mark.long

PROMPTS = 60


def command(out, *more):
    words = ["quickstart", "--prompts", str(PROMPTS), "--out", str(out), "--workers", "2", *more]
    return [sys.executable, "-m", "codepref.cli", *words]


@pytest.fixture(scope="module")
def ran(root, tmp_path_factory):
    """A run that is killed during its second dataset and taken up again."""
    out = tmp_path_factory.mktemp("quickstart") / "run"
    first = started(command(out), cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until((out / "codeflow" / "stages").is_dir, first)
    first.send_signal(signal.SIGINT)
    assert first.wait(60) == 130
    again = subprocess.run(command(out), cwd=root, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr[-2000:]
    return out, again.stdout


def until(holds, process):
    deadline = time.monotonic() + 600
    while not holds():
        assert process.poll() is None, "the run ended before it could be interrupted"
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_training_on_its_own_pairs_raises_pass_at_1(ran):
    out, _ = ran
    told = json.loads((out / "quickstart.json").read_text())
    (gain,) = told["gains"]
    assert gain["name"] == "dpo"
    assert gain["sampled"][1] > 0, gain  # the lower end of the paired interval
    assert [score["name"] for score in told["scores"]] == ["base", "dpo"]
    assert told["scores"][0]["tasks"] == 240
    assert told["labels"]["codedpo"]["right"] > 3 * told["labels"]["codedpo"]["inverted"]
    assert not told["evidence"]["weak"]


def test_everything_is_where_it_is_said_to_be(ran):
    out, said = ran
    for line in ("page", "datasets", "adapter"):
        assert f"\n{line}" in said
    assert "repair of mistakes planted" in said
    assert "minutes" in said
    for name in ("codedpo", "codeflow", "dstc", "dpo"):
        assert (out / name / "README.md").stat().st_size > 1000
        assert (out / name / "manifest.json").exists()
    page = (out / "report.html").read_text()
    assert "before" in page
    assert len(page) < 1_000_000


def test_what_was_finished_before_the_interruption_is_kept(ran):
    _, said = ran
    assert "codedpo dataset: kept from before" in said
    assert "codeflow dataset: kept" not in said


def test_a_third_call_does_nothing_again(ran, root):
    out, _ = ran
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.safetensors")}
    third = subprocess.run(command(out), cwd=root, capture_output=True, text=True)
    assert third.returncode == 0
    assert third.stdout.count("kept from before") >= 12
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.safetensors")} == before


def test_a_failing_step_is_named_with_the_way_on(tmp_path, root):
    out = tmp_path / "run"
    out.mkdir()
    (out / "codedpo").write_text("in the way")
    failed = subprocess.run(command(out, "--seed", "7"), cwd=root, capture_output=True, text=True)
    assert failed.returncode == 2
    assert "step 'codedpo dataset' failed with exit code 2; what was finished is kept" in failed.stderr
    assert "the step alone: codepref build codedpo" in failed.stderr
    missing = subprocess.run(command(out, "--checkpoint", str(tmp_path)), cwd=root, capture_output=True, text=True)
    assert missing.returncode == 2
    assert "no checkpoint" in missing.stderr
