"""A recipe as a program: exit codes, one line, and what ends with it."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from codepref.errors import CodeprefError

READING = """
import sys, time

sys.path.insert(0, "recipes")
import program
from datasets import Dataset


def main():
    print("reading", flush=True)
    Dataset.from_dict({"number": list(range(40))}).map(lambda row: time.sleep(10) or row, num_proc=2)


program.launched(main)
"""


def test_processes_that_read_rows_end_with_a_recipe_that_is_stopped(root, tmp_path):
    (tmp_path / "reading.py").write_text(READING)
    recipe = subprocess.Popen(
        [sys.executable, tmp_path / "reading.py"], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, env={**os.environ, "PYTHONPATH": str(root), "TQDM_DISABLE": "1"},
    )  # fmt: skip
    assert recipe.stdout.readline() == "reading\n"
    readers = []
    while len(readers) < 2:
        assert recipe.poll() is None
        time.sleep(0.1)
        readers = psutil.Process(recipe.pid).children(recursive=True)
    time.sleep(1)
    try:
        recipe.send_signal(signal.SIGTERM)
        said = recipe.communicate(timeout=100)[1]  # what they write goes to the same pipe: all have ended
        assert recipe.returncode == 143
        assert said.splitlines()[-1].startswith("reading.py: error: stopped; go on from the last checkpoint")
        assert "Traceback" not in said
        assert not psutil.wait_procs(readers, 20)[1]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(recipe.pid, signal.SIGKILL)


def test_trouble_of_a_program_is_one_line(capsys, monkeypatch):
    import program
    import torch

    for error, code, said in (
        (CodeprefError("this"), 2, "error: this"),
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to"),
            2,
            "CUDA out of memory; lower per_device_train_batch_size",
        ),
        (OSError(28, "No space left on device", "/out/x"), 2, "/out/x: No space left on device; checkpoints"),
        (KeyboardInterrupt(), 130, "interrupted; go on from the last checkpoint with --resume_from_checkpoint last"),
    ):

        def main(error=error):
            raise error

        assert program.code_of(main) == code
        assert said in capsys.readouterr().err
    assert program.code_of(lambda: None) == 0

    def cleans_up():
        try:
            raise KeyboardInterrupt
        finally:
            raise TimeoutError  # what datasets' pool does

    assert program.code_of(cleans_up) == 130
    assert "interrupted" in capsys.readouterr().err
    with pytest.raises(ZeroDivisionError):
        program.code_of(lambda: 1 / 0)
