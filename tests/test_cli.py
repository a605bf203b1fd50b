import json
import os
import signal
import subprocess
import sys
import time

import pytest

from codepref import cli
from codepref.commands import options

from builders_recordings import RECORDINGS, write  # isort: skip
from interrupts import started  # isort: skip

pytestmark = pytest.mark.long


def run(*words, **options):
    return subprocess.run(
        [sys.executable, "-m", "codepref.cli", *map(str, words)], capture_output=True, text=True, **options
    )


def build(recordings, out, *more):
    settings = [f"generations={recordings}", "limits.cpu_s=0.3", "shard_size=2"]
    return ["build", "codedpo", "--out", str(out), *(word for item in settings for word in ("--set", item)), *more]


def test_help_names_every_command():
    result = run("--help")
    assert result.returncode == 0
    for command in ("build", "publish", "execute", "inspect", "doctor"):
        assert command in result.stdout


def test_methods_are_those_with_configurations():
    assert "codedpo" in options.methods()


def test_build_and_what_it_prints(tmp_path):
    recordings = write(tmp_path / "g.jsonl")
    result = run(*build(recordings, tmp_path / "run"))
    assert result.returncode == 0, result.stderr
    assert f'4 rows: datasets.load_dataset("{tmp_path / "run"}", "correctness")' in result.stdout
    for line in ("samples     7 in, 7 out", "candidates  7 in, 5 out; dropped: ", "pairs       5 in, 4 out"):
        assert line in result.stderr


def test_quiet_is_quiet(tmp_path):
    result = run(*build(write(tmp_path / "g.jsonl"), tmp_path / "run", "--quiet"))
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--set", "codes_per_promt=3"], "unknown key 'codes_per_promt'; did you mean 'codes_per_prompt'?"),
        (["--set", "ranking.damping=2"], "ranking.damping"),
        (["--set", "generations=nowhere.jsonl"], "nowhere.jsonl: No such file"),
        (["--config", "nowhere.yaml"], "nowhere.yaml: No such file"),
        (["--workers", "0"], "must be 1 or more"),
        (["--set", "codes_per_prompt=0"], "codes_per_prompt"),
    ],
)
def test_mistakes_give_one_line_and_exit_code_2(tmp_path, change, message):
    result = run(*build(write(tmp_path / "g.jsonl"), tmp_path / "run", *change))
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "run" / "stages").exists()


def test_bad_lines_are_named_before_any_work(tmp_path):
    path = tmp_path / "g.jsonl"
    lines = [json.dumps(row) for row in RECORDINGS]
    path.write_text(
        "\n".join(
            [*lines[:2], '{"prompt_id": ', json.dumps({**RECORDINGS[0], "prompt_id": "n", "codes": "x"}), *lines[2:]]
        )
    )
    result = run(*build(path, tmp_path / "run"))
    assert result.returncode == 2
    assert f"{path}:3: " in result.stderr
    assert f"{path}:4: " in result.stderr
    assert not (tmp_path / "run" / "stages").exists()
    result = run(*build(path, tmp_path / "run", "--skip-bad"))
    assert result.returncode == 0, result.stderr
    assert "2 lines bad line" in result.stderr
    assert "samples     7 in" in result.stderr


def test_a_second_build_in_the_same_folder_is_refused(tmp_path):
    from codepref.store import Store

    with Store(tmp_path / "run").lock():
        result = run(*build(write(tmp_path / "g.jsonl"), tmp_path / "run"))
    assert result.returncode == 2
    assert "another build is running here" in result.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_full_disk_is_one_line(tmp_path, workers):
    """A limit on the size of files stands in for a full disk: writing fails in the middle of the run."""
    words = build(write(tmp_path / "g.jsonl"), tmp_path / "run", "--workers", workers)
    limited = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)); from codepref.cli import main; sys.exit(main())"
    result = subprocess.run([sys.executable, "-c", limited, *words], capture_output=True, text=True)
    assert result.returncode == 2
    assert "File too large; what was finished is kept" in result.stderr
    assert "Traceback" not in result.stderr
    assert run(*words).returncode == 0


def _stopped(words, out, number, ctrl_c=True):
    """A build that gets a signal when it has some outcomes: exit code and what it says."""
    command = [sys.executable, "-m", "codepref.cli", *words]
    process = started(command, ctrl_c=ctrl_c, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not list(out.glob("stages/outcomes-*/*.parquet")):
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, number)
    _, errors = process.communicate()
    return process.returncode, errors


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_keeps_what_is_finished(tmp_path, workers):
    words = build(write(tmp_path / "g.jsonl"), tmp_path / "run", "--workers", workers, "--set", "limits.cpu_s=2")
    returncode, errors = _stopped(words, tmp_path / "run", signal.SIGINT)
    assert returncode == cli.INTERRUPTED
    assert "interrupted; what was finished is kept" in errors
    assert "Traceback" not in errors
    assert run(*words).returncode == 0


@pytest.mark.parametrize("ctrl_c", [True, False])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_batch_system_stops_it_as_ctrl_c_does(tmp_path, workers, ctrl_c):
    """Slurm, Kubernetes and `kill` send SIGTERM, also to what `nohup` started."""
    words = build(write(tmp_path / "g.jsonl"), tmp_path / "run", "--workers", workers, "--set", "limits.cpu_s=2")
    returncode, errors = _stopped(words, tmp_path / "run", signal.SIGTERM, ctrl_c)
    assert returncode == cli.TERMINATED
    assert "stopped; what was finished is kept" in errors
    assert "Traceback" not in errors
    assert run(*words).returncode == 0


def test_nohup_keeps_ctrl_c_away(tmp_path):
    words = build(write(tmp_path / "g.jsonl"), tmp_path / "run", "--workers", "1")
    assert _stopped(words, tmp_path / "run", signal.SIGINT, ctrl_c=False)[0] == 0


def test_doctor_looks_at_everything():
    result = run("doctor")
    assert result.returncode == 0, result.stdout + result.stderr
    for topic in ("machine", "sandbox", "isolation", "package", "gpu", "hub token"):
        assert topic in result.stdout
    for line in result.stdout.splitlines()[1:]:
        assert line.startswith(("ok ", "missing "))


def test_doctor_shows_no_secret():
    secret = "hf_" + "x" * 30
    result = run("doctor", env={**os.environ, "HF_TOKEN": secret, "OPENAI_API_KEY": secret})
    assert secret not in result.stdout + result.stderr
    assert "ok       hub token" in result.stdout
