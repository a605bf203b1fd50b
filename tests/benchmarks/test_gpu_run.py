"""The GPU's parts: all of them run at toy size on the CPU; one that fails or hangs is recorded, and the next begins."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.gpu import run

from interrupts import started  # isort: skip

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, os, pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
def write(name, found):
    (folder / "new").write_text(json.dumps(found))
    (folder / "new").rename(folder / f"{name}.json")
write("machine", {"device": "none"})
for name in sys.argv[2:]:
    if name == "parity":
        write(name, {"state": "failed", "said": "AssertionError: too far off"})
        sys.exit(1)
    if name == "full":
        print("about to wait", flush=True)
        time.sleep(600)
    if name == "merge":
        os.kill(os.getpid(), 9)
    write(name, {"state": "done", "rows": [{"process": os.getpid(), "part": name}]})
"""


@pytest.mark.timeout(600)
def test_dry_run(tmp_path):
    pytest.importorskip("trl", reason="the training stack is not installed (make train)")
    environment = {**os.environ, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [ROOT / "benchmarks" / "gpu" / "run.sh", "--dry", "--out", tmp_path],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "gpu.json").read_text())
    states = {name: part["state"] for name, part in result["parts"].items()}
    absent = {"fsdp2", "zero3"}  # accelerate shards on GPUs alone
    assert states == {part.name: "absent" if part.name in absent else "done" for part in run.PARTS}
    assert "that needs a GPU" in result["parts"]["fsdp2"]["said"]
    assert all(part["rows"] for part in result["parts"].values())
    assert {row["packing"] for row in result["parts"]["parity"]["rows"]} == {"none", "rows", "prefix"}
    assert result["parts"]["fsdp2"]["rows"][0]["kind"] == "FSDP"
    assert result["parts"]["zero3"]["rows"][0]["kind"] == "DEEPSPEED"
    page = (tmp_path / "gpu.md").read_text()
    assert "no GPU was at hand" in page
    assert all(f"## {part.name}: " in page for part in run.PARTS)


def test_a_part_that_fails_hangs_or_dies_does_not_stop_the_others(tmp_path, monkeypatch):
    (tmp_path / "program.py").write_text(PROGRAM)
    monkeypatch.setattr(run, "PROGRAM", (str(tmp_path / "program.py"),))
    monkeypatch.setattr(run, "GRACE_S", 0.2)
    parts = [run.Part(part.name, part.title, 2 if part.name == "full" else 60) for part in run.PARTS]
    result, seen = {"title": "t", "date": "d", "words": "", "machine": {}, "parts": {}}, []
    run.run_parts(parts, tmp_path, result, lambda: seen.append(len(result["parts"])), dry=False)
    assert seen == list(range(1, len(parts) + 1))
    states = {name: part["state"] for name, part in result["parts"].items()}
    assert [name for name, state in states.items() if state == "failed"] == ["parity", "full", "merge"]
    said = {name: part.get("said", "") for name, part in result["parts"].items()}
    assert said["parity"] == "AssertionError: too far off"
    assert said["full"] == "not done within 2 s: about to wait"
    assert said["merge"].startswith("the process ended with code -9")
    processes = {part["rows"][0]["process"] for part in result["parts"].values() if part["state"] == "done"}
    assert len(processes) == 3  # what follows a failure is in a new one
    page = run.page(result)
    assert "| full | A whole recipe run, full parameters, 0.5B | failed |" in page
    assert not any(_is_alive(process) for process in processes)


def _is_alive(process):
    return Path(f"/proc/{process}").exists()


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_takes_its_parts_along(tmp_path, sent):
    (tmp_path / "program.py").write_text(PROGRAM)
    code = (
        "import sys; from benchmarks.gpu import run; "
        f"run.PROGRAM = ({str(tmp_path / 'program.py')!r},); run.GRACE_S = 0.2; sys.exit(run.main())"
    )
    words = [sys.executable, "-c", code, "--only", "full", "--out", str(tmp_path / "out")]
    program = started(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert program.stdout.readline().startswith("models: done")
    result = json.loads((tmp_path / "out" / "gpu.json").read_text())
    program.send_signal(sent)
    assert program.wait(30) != 0
    assert not _is_alive(result["parts"]["models"]["rows"][0]["process"])


def test_without_time_nothing_begins(tmp_path, monkeypatch):
    (tmp_path / "program.py").write_text(PROGRAM)
    monkeypatch.setattr(run, "PROGRAM", (str(tmp_path / "program.py"),))
    monkeypatch.setattr(run, "WHOLE_S", 0)
    with pytest.raises(SystemExit, match=r"run.sh: the ten minutes were over"):
        run.run_parts(list(run.PARTS), tmp_path, {"machine": {}, "parts": {}}, lambda: None, dry=False)


def test_parts_are_chosen_by_name(capsys):
    assert [part.name for part in run.chosen("merge")] == ["models", "merge"]
    with pytest.raises(SystemExit, match="no part is called merg"):
        run.chosen("merg")


def test_the_limits_fit_into_ten_minutes_when_each_part_takes_half_of_its_own():
    assert sum(part.limit_s for part in run.PARTS) < 2 * run.WHOLE_S
