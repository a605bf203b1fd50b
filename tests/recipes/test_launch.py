"""The launchers themselves: `accelerate launch` as the README has it, and two processes of torchrun."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import interrupts
import psutil
import pytest

pytestmark = pytest.mark.long


def launched(root, *words, **variables):
    environment = {**os.environ, "PYTHONPATH": str(root), "TQDM_DISABLE": "1", **variables}
    program = subprocess.Popen(
        [sys.executable, "-m", *words], cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    )  # fmt: skip
    try:
        said, _ = program.communicate(timeout=240)
    except BaseException:
        os.killpg(program.pid, signal.SIGKILL)  # the launcher's processes too, which would outlive it
        raise
    assert program.returncode == 0, said[-6000:]
    return said


def test_accelerate_launch_from_start_to_saved_adapter(root, tiny, tmp_path):
    config = root / "recipes" / "tiny" / "focal_dpo_qlora.yaml"
    out = tmp_path / "adapter"
    places = ["--model_name_or_path", str(tiny), "--output_dir", str(out), "--max_steps", "2", "--logging_steps", "1"]
    said = launched(
        root, "accelerate.commands.launch", "recipes/focal_dpo.py", "--config", str(config), *places,
        TRACKIO_DIR=str(tmp_path / "trackio"),
    )  # fmt: skip
    assert (out / "adapter_model.safetensors").is_file()
    assert "memory, estimated" in said
    assert "'dropped': 0" in said
    assert list((tmp_path / "trackio").rglob("*.db"))


WATCHED = """
import gc, sys

sys.path.insert(0, "recipes")
import dpo, program, torch

destroy = torch.distributed.destroy_process_group


def destroyed(group=None):
    kind = torch.nn.parallel.DistributedDataParallel
    left = sum(isinstance(item, kind) for item in gc.get_objects())
    sys.stdout.write(f"wrappers at the end: {left}\\n")
    sys.stdout.flush()
    destroy(group)


torch.distributed.destroy_process_group = destroyed
program.launched(dpo.main)
"""
"""dpo.py, which says whether anything but the process group itself still holds the group when it is destroyed."""


def test_two_processes_give_the_curve_of_one(root, configure, train, losses, tmp_path):
    steps = {"alpha": 0.0, "max_steps": 6, "chosen_guard": "off"}
    one = losses(train("dpo", **steps))
    config = configure(**steps, per_device_train_batch_size=2, output_dir=str(tmp_path / "two"))
    (tmp_path / "watched.py").write_text(WATCHED)
    said = launched(root, "torch.distributed.run", "--nproc_per_node", "2", tmp_path / "watched.py", "--config", config)
    assert said.count("wrappers at the end: 0\n") == 2
    state = json.loads((tmp_path / "two" / "trainer_state.json").read_text())
    two = [entry["loss"] for entry in state["log_history"] if "loss" in entry]
    assert two == pytest.approx(one, abs=1e-5)
    assert json.loads((tmp_path / "two" / "manifest.json").read_text())["hardware"]["processes"] == 2


def test_a_refusal_is_one_line_through_the_launcher_too(root, configure, tmp_path):
    (tmp_path / "none.jsonl").write_text("")
    (tmp_path / "one.yaml").write_text("distributed_type: 'NO'\nuse_cpu: true\nmixed_precision: 'no'\n")
    config = configure(dataset_name=str(tmp_path / "none.jsonl"))
    done = subprocess.run(
        [sys.executable, "-m", "codepref.cli", "train", "dpo", "--config", config, "--accelerate", tmp_path / "one.yaml"],
        env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"dpo.py: error: {tmp_path / 'none.jsonl'}: has no rows")
    assert "Traceback" not in done.stderr + done.stdout


LAUNCHED = """
import os, pathlib, sys, time

folder = pathlib.Path(sys.argv[1])
try:
    (folder / "pid").write_text(str(os.getpid()))
    time.sleep(200)
except KeyboardInterrupt:
    time.sleep(1)
    (folder / "ended").touch()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_launcher_ends_with_its_program_and_never_before_it(root, tmp_path, number, code):
    """SIGTERM comes to the launcher alone; Ctrl-C, to all, and the program finishes what it does."""
    (tmp_path / "program.py").write_text(LAUNCHED)
    (tmp_path / "one.yaml").write_text("distributed_type: 'NO'\nuse_cpu: true\nmixed_precision: 'no'\n")
    words = ["--config_file", tmp_path / "one.yaml", tmp_path / "program.py", tmp_path]
    launcher = interrupts.started(
        [sys.executable, root / "recipes" / "launch.py", *words], stderr=subprocess.PIPE, text=True,
        start_new_session=True, env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    told = tmp_path / "pid"
    try:
        while not (told.exists() and told.read_text()):
            assert launcher.poll() is None
            time.sleep(0.1)
        if number == signal.SIGTERM:
            launcher.send_signal(number)
        else:
            os.killpg(launcher.pid, number)
        assert launcher.wait(100) == code
        assert not psutil.pid_exists(int(told.read_text()))
        assert (tmp_path / "ended").exists() == (number == signal.SIGINT)
        assert "Traceback" not in launcher.stderr.read()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(launcher.pid, signal.SIGKILL)
